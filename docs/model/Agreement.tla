------------------------------ MODULE Agreement ------------------------------
(* The agreement of docs/pbft.md, among four members of whom one is Byzantine.

   The network is what has been signed: a message that was sent once may arrive at anybody, at any time, in any
   order, or never. A crash is a pause: all that is modelled here is on disk before it is sent. Verdicts of the
   application are free choices: an honest member may or may not sign what it is allowed to sign.
   The Byzantine member has signed everything that its key can sign, and shows to each member what suits it. *)
EXTENDS Integers, FiniteSets, TLC

CONSTANTS
    Byz,        \* the Byzantine member, 0..3
    MaxView,    \* views 0..MaxView
    Seqs,       \* sequence numbers, {1} or {1, 2}
    Values,     \* values that may be proposed
    None,       \* no value
    Planted     \* "nothing", or the name of an error

Members == 0..3
Faulty == 1
Quorum == IF Planted = "quorum of 2f" THEN 2 * Faulty ELSE (Cardinality(Members) + Faulty + 2) \div 2
Honest == Members \ {Byz}
Views == 0..MaxView
Primary(w) == w % Cardinality(Members)
Max(S) == CHOOSE x \in S : \A y \in S : y <= x
Min(S) == CHOOSE x \in S : \A y \in S : x <= y

\* To keep two sequence numbers small, only the first has more than one value.
ValuesAt(s) == IF s = 1 THEN Values ELSE {CHOOSE v \in Values : TRUE}

\* With one sequence number nothing tells one value from another: half as many states.
Alike == Permutations(Values)

VARIABLES
    view,       \* view[m]: the view that m takes part in or waits for
    active,     \* active[m]: m takes part in it
    floor,      \* floor[m]: the new view that m took proposes nothing up to here
    inherited,  \* inherited[m][s]: what the new view that m took proposes
    proposed,   \* proposed[w][s]: the PrePrepare of an honest primary, if it was a fresh one
    opened,     \* opened[w]: the NewView of an honest primary
    prepared,   \* prepared[m][w][s]: what m sent a Prepare for
    committed,  \* committed[m][w][s]: what m sent a Commit for
    replied,    \* replied[m][s]: what m endorsed
    voted       \* voted[m][w]: the decision shown in m's ViewChange for w; -1 if it sent none

vars == <<view, active, floor, inherited, proposed, opened, prepared, committed, replied, voted>>

------------------------------------------------------------------------------
(* Certificates. One signature of each can always be the Byzantine member's. *)

Enough(S) == Cardinality(S) + 1 >= Quorum

SignedProposal(w, s, v) ==
    \/ Primary(w) = Byz
    \/ proposed[w][s] = v
    \/ opened[w] # None /\ opened[w].inherited[s] = v

Prepares(w, s, v) == {m \in Honest : prepared[m][w][s] = v}
Commits(w, s, v) == {m \in Honest : committed[m][w][s] = v}
Replies(s, v) == {m \in Honest : replied[m][s] = v}

PreparedCertificate(w, s, v) == SignedProposal(w, s, v) /\ Enough(Prepares(w, s, v))
Fixed(s, v) == \E w \in Views : Enough(Commits(w, s, v))
Decided(s, v) == Enough(Replies(s, v))
Shown == {0} \cup {s \in Seqs : \E v \in ValuesAt(s) : Decided(s, v)}

------------------------------------------------------------------------------
(* View votes and what follows from them. *)

NoClaim == [view |-> -1, value |-> None]

LastCommit(m, w, s) ==
    LET left == {u \in Views : u < w /\ committed[m][u][s] # None}
    IN IF left = {} \/ Planted = "votes claim nothing" THEN NoClaim
       ELSE [view |-> Max(left), value |-> committed[m][Max(left)][s]]

HonestVote(m, w) ==
    [decided |-> voted[m][w],
     claims |-> [s \in Seqs |-> IF s <= voted[m][w] THEN NoClaim ELSE LastCommit(m, w, s)]]

ByzClaims(w, s) ==
    {NoClaim} \cup {c \in [view : 0..(w - 1), value : ValuesAt(s)] : PreparedCertificate(c.view, s, c.value)}

ByzVotes(w) ==
    {vote \in [decided : Shown, claims : [Seqs -> UNION {ByzClaims(w, s) : s \in Seqs}]] :
        \A s \in Seqs : vote.claims[s] \in IF s <= vote.decided THEN {NoClaim} ELSE ByzClaims(w, s)}

Against(votes, s, c) ==
    {m \in DOMAIN votes : LET own == votes[m].claims[s] IN
        own.view < c.view \/ (own.view = c.view /\ own.value # c.value)}

Refuted(votes, s, c) ==
    Cardinality(Against(votes, s, c)) >= IF Planted = "refuted by f + 1" THEN Faulty + 1 ELSE Quorum

Choose(votes, s, low) ==
    LET claims == {votes[m].claims[s] : m \in DOMAIN votes} \ {NoClaim}
        standing == {c \in claims : ~Refuted(votes, s, c)}
        ages == {c.view : c \in standing}
        age == IF Planted = "oldest claim" THEN Min(ages) ELSE Max(ages)
    IN IF s <= low \/ standing = {} \/ Planted = "claims ignored" THEN None
       ELSE (CHOOSE c \in standing : c.view = age).value

Follows(votes) ==
    LET low == Max({votes[m].decided : m \in DOMAIN votes})
    IN [floor |-> low, inherited |-> [s \in Seqs |-> Choose(votes, s, low)]]

\* Every NewView for w that passes check_new_view, from the votes of the members in Q.
NewViewsFrom(Q, w) ==
    IF Byz \in Q
    THEN {Follows([m \in Q |-> IF m = Byz THEN b ELSE HonestVote(m, w)]) : b \in ByzVotes(w)}
    ELSE {Follows([m \in Q |-> HonestVote(m, w)])}

Voters(w) == {Byz} \cup {m \in Honest : voted[m][w] >= 0}
Electorates(w) == {Q \in SUBSET Voters(w) : Cardinality(Q) >= Quorum}

------------------------------------------------------------------------------
Init ==
    /\ view = [m \in Honest |-> 0]
    /\ active = [m \in Honest |-> TRUE]
    /\ floor = [m \in Honest |-> 0]
    /\ inherited = [m \in Honest |-> [s \in Seqs |-> None]]
    /\ proposed = [w \in Views |-> [s \in Seqs |-> None]]
    /\ opened = [w \in Views |-> None]
    /\ prepared = [m \in Honest |-> [w \in Views |-> [s \in Seqs |-> None]]]
    /\ committed = [m \in Honest |-> [w \in Views |-> [s \in Seqs |-> None]]]
    /\ replied = [m \in Honest |-> [s \in Seqs |-> None]]
    /\ voted = [m \in Honest |-> [w \in Views |-> -1]]

Propose(m, s, v) ==
    /\ active[m] /\ Primary(view[m]) = m
    /\ s > floor[m] /\ inherited[m][s] = None /\ proposed[view[m]][s] = None
    /\ proposed' = [proposed EXCEPT ![view[m]][s] = v]
    /\ UNCHANGED <<view, active, floor, inherited, opened, prepared, committed, replied, voted>>

Acceptable(m, s, v) ==
    IF inherited[m][s] # None THEN v = inherited[m][s]
    ELSE Primary(view[m]) = Byz \/ proposed[view[m]][s] = v

Prepare(m, s, v) ==
    /\ active[m] /\ s > floor[m]
    /\ prepared[m][view[m]][s] = None
    /\ Acceptable(m, s, v)
    /\ prepared' = [prepared EXCEPT ![m][view[m]][s] = v]
    /\ UNCHANGED <<view, active, floor, inherited, proposed, opened, committed, replied, voted>>

CommitIn(m, w, s, v) ==
    /\ prepared[m][w][s] = v /\ committed[m][w][s] = None
    /\ Enough(Prepares(w, s, v))
    /\ committed' = [committed EXCEPT ![m][w][s] = v]
    /\ UNCHANGED <<view, active, floor, inherited, proposed, opened, prepared, replied, voted>>

Commit(m, s, v) ==
    \/ active[m] /\ CommitIn(m, view[m], s, v)
    \/ Planted = "commits after leaving" /\ \E w \in 0..view[m] : CommitIn(m, w, s, v)

\* The first branch comes first: TLC tries every branch of a disjunction.
Settled(s) ==
    IF s = 0 \/ Planted = "replies in any order" THEN TRUE
    ELSE (\E v \in ValuesAt(s) : Fixed(s, v)) \/ (\E d \in Shown : d >= s)

Reply(m, s, v) ==
    /\ replied[m][s] = None /\ Fixed(s, v) /\ Settled(s - 1)
    /\ replied' = [replied EXCEPT ![m][s] = v]
    /\ UNCHANGED <<view, active, floor, inherited, proposed, opened, prepared, committed, voted>>

ChangeView(m, w, decided) ==
    /\ w > view[m]
    /\ view' = [view EXCEPT ![m] = w]
    /\ active' = [active EXCEPT ![m] = FALSE]
    /\ voted' = [voted EXCEPT ![m][w] = decided]
    /\ floor' = [floor EXCEPT ![m] = 0]
    /\ inherited' = [inherited EXCEPT ![m] = [s \in Seqs |-> None]]
    /\ UNCHANGED <<proposed, opened, prepared, committed, replied>>

Enter(m, w, new) ==
    /\ view' = [view EXCEPT ![m] = w]
    /\ active' = [active EXCEPT ![m] = TRUE]
    /\ floor' = [floor EXCEPT ![m] = new.floor]
    /\ inherited' = [inherited EXCEPT ![m] = new.inherited]
    /\ UNCHANGED <<proposed, prepared, committed, replied, voted>>

OpenView(m) ==
    /\ ~active[m] /\ Primary(view[m]) = m
    /\ \E Q \in Electorates(view[m]) : \E new \in NewViewsFrom(Q, view[m]) :
        /\ m \in Q
        /\ opened' = [opened EXCEPT ![view[m]] = new]
        /\ Enter(m, view[m], new)

EnterView(m, w) ==
    /\ m # Primary(w) /\ w >= 1
    /\ w > view[m] \/ (w = view[m] /\ ~active[m])
    /\ UNCHANGED opened
    /\ IF Primary(w) = Byz
       THEN \E Q \in Electorates(w) : \E new \in NewViewsFrom(Q, w) : Enter(m, w, new)
       ELSE opened[w] # None /\ Enter(m, w, opened[w])

Next ==
    \E m \in Honest :
        \/ \E s \in Seqs : \E v \in ValuesAt(s) :
            Propose(m, s, v) \/ Prepare(m, s, v) \/ Commit(m, s, v) \/ Reply(m, s, v)
        \/ \E w \in Views : EnterView(m, w) \/ \E d \in Shown : ChangeView(m, w, d)
        \/ OpenView(m)

Spec == Init /\ [][Next]_vars

------------------------------------------------------------------------------
(* What never happens. *)

Agreement == \A s \in Seqs : \A a, b \in ValuesAt(s) : Fixed(s, a) /\ Fixed(s, b) => a = b

EndorsedOnce ==
    \A s \in Seqs :
        /\ \A a, b \in ValuesAt(s) : Decided(s, a) /\ Decided(s, b) => a = b
        /\ Cardinality({replied[m][s] : m \in Honest} \ {None}) <= 1

PreparedOnce ==
    \A w \in Views, s \in Seqs : \A a, b \in ValuesAt(s) :
        PreparedCertificate(w, s, a) /\ PreparedCertificate(w, s, b) => a = b

\* A decision means that every lower sequence number is fixed: what the floor of a new view rests on.
DecidedInOrder == \A s \in Shown : \A t \in Seqs : t < s => \E v \in ValuesAt(t) : Fixed(t, v)
==============================================================================
