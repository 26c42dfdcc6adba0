// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Case, CaseKind, Dispute, DisputeStatus} from "../types/Appeal.sol";
import {CertificateRecord, Contribution, ContributionLeaf, FaultLeaf} from "../types/Certificate.sol";
import {TaskId} from "../types/Ids.sol";
import {ITrainingMarket} from "./ITrainingMarket.sol";

/// @title IAppeals
/// @notice Disputes about certificates: who says that a contribution was accepted, or a fault declared, wrongly puts up
/// a bond, and a court of validators that did not sign decides by re-execution. It holds bonds and nothing else, and it has
/// no owner. Money is in the token's smallest unit, time in Unix seconds.
///
/// One dispute at a time for each task, with up to 64 cases. It begins within the window of a certificate and freezes
/// that certificate and all later ones. For one more window anyone may add cases about what is frozen, so that a dispute
/// shields nothing. Only then is the court drawn, so that nobody sees who will judge before all is said; it has
/// `COURT_TERM` seconds. A dispute ends after at most a window and a term: by a verdict, or, without one, with the
/// certificates as they were. Meanwhile the work goes on, and what is certified waits with the rest.
///
/// The bond of a case doubles with every `CASES_PER_DOUBLING` cases before it: whoever fills a dispute with nonsense, to keep
/// others out, pays more for it than these need.
///
/// | case | upheld | rejected | no verdict |
/// |---|---|---|---|
/// | contribution | the certificate and all later ones are void, the task ends; the miner is slashed for the
/// poster and a bounty, the signers for the treasury; bond back | half of the bond to the miner, half to the treasury | bond back |
/// | fault | it can never be slashed; the signers are slashed, the miner is the victim; bond back and a bounty | half of
/// the bond to the poster, half to the treasury | bond back |
///
/// Nothing goes to the court: whoever decides gains nothing by either outcome.
interface IAppeals {
    /// @notice Dispute number `dispute` of `taskId` began; cases can join until `joinEnds`.
    event DisputeOpened(
        TaskId indexed taskId, uint256 indexed dispute, uint256 joinEnds, uint256 verdictEnds
    );

    /// @notice `challenger` brought case number `number`; `batch` is where it found the lie.
    event CaseBrought(
        TaskId indexed taskId,
        uint256 indexed dispute,
        uint256 number,
        address indexed challenger,
        CaseKind kind,
        uint256 index,
        address miner,
        bytes32 leaf,
        uint32 batch
    );

    /// @notice Joining ended, and the court of the dispute was assigned.
    event CourtSummoned(TaskId indexed taskId, uint256 indexed dispute);

    /// @notice The court upheld the cases of the bitmap `upheld`. The signatures are in the transaction's calldata.
    event VerdictAccepted(TaskId indexed taskId, uint256 indexed dispute, uint64 upheld, uint64 signers);

    /// @notice No verdict came in time.
    event DisputeLapsed(TaskId indexed taskId, uint256 indexed dispute);

    /// @notice The bond of a case was paid out: `returned` to its challenger, `compensation` to the wronged side, the
    /// rest to the treasury.
    event CaseSettled(
        TaskId indexed taskId, uint256 indexed dispute, uint256 number, uint256 returned, uint256 compensation
    );

    /// @notice `miner` lost `amount` of stake for what it signed.
    event MinerConvicted(
        TaskId indexed taskId, uint256 indexed dispute, uint256 number, address indexed miner, uint256 amount
    );

    /// @notice `signer` lost `amount` of stake for what it signed.
    event SignerPunished(
        TaskId indexed taskId, uint256 indexed dispute, uint256 number, address indexed signer, uint256 amount
    );

    /// @notice A constructor argument lies outside its bounds.
    error OutOfBounds(string field, uint256 value, uint256 min, uint256 max);

    /// @notice The fault was slashed, or found wrong, before.
    error FaultSettled(TaskId taskId, bytes32 leaf);

    /// @notice Cases could join until `endedAt`.
    error JoiningEnded(TaskId taskId, uint256 dispute, uint256 endedAt);

    /// @notice A dispute holds `max` cases.
    error DisputeFull(TaskId taskId, uint256 dispute, uint256 max);

    /// @notice The leaf is in the dispute already.
    error CaseExists(TaskId taskId, uint256 dispute, bytes32 leaf);

    /// @notice The dispute is in another state.
    error DisputeIs(TaskId taskId, uint256 dispute, DisputeStatus status);

    /// @notice Cases can join until `joinEnds`; a verdict is accepted from then on.
    error VerdictTooEarly(TaskId taskId, uint256 dispute, uint256 joinEnds);

    /// @notice A verdict was accepted until `endedAt`.
    error VerdictTooLate(TaskId taskId, uint256 dispute, uint256 endedAt);

    /// @notice A verdict is accepted until `endsAt`.
    error VerdictStillPossible(TaskId taskId, uint256 dispute, uint256 endsAt);

    /// @notice There is no case with this number.
    error CaseUnknown(TaskId taskId, uint256 dispute, uint256 number);

    /// @notice The bond of the case was paid out before.
    error CaseIsSettled(TaskId taskId, uint256 dispute, uint256 number);

    /// @notice The contribution is not what the case is about.
    error NotTheCase(TaskId taskId, uint256 dispute, uint256 number);

    /// @notice The miner was slashed for this contribution before.
    error AlreadyConvicted(TaskId taskId, bytes32 leaf);

    /// @notice The case was not upheld.
    error CaseNotUpheld(TaskId taskId, uint256 dispute, uint256 number);

    /// @notice None of these members signed the certificate of the case, is not charged with an earlier one, and waits
    /// for its punishment.
    error NobodyToPunish(TaskId taskId, uint256 dispute, uint256 number);

    /// @notice The market whose certificates are disputed.
    function MARKET() external view returns (ITrainingMarket);

    /// @notice Bond of each of the first `CASES_PER_DOUBLING` cases of a dispute.
    function BOND() external view returns (uint256);

    /// @notice Number of cases after which the bond doubles.
    function CASES_PER_DOUBLING() external view returns (uint256);

    /// @notice Bond of case number `number` of a dispute.
    function bondOf(uint256 number) external view returns (uint256);

    /// @notice Seconds that the court has.
    function COURT_TERM() external view returns (uint256);

    /// @notice Most cases of one dispute.
    function MAX_CASES() external view returns (uint256);

    /// @notice Stake that signing a wrongly accepted contribution costs, in basis points of a validator's stake, but no
    /// more than the task's `slashPerFault`. A validator re-executes a sample, so honest ones may miss it: the price of a
    /// bad gamble, not of a lie. All of it goes to the treasury.
    function ACCEPTED_BPS() external view returns (uint256);

    /// @notice Stake that signing a wrongly declared fault costs, in basis points of a validator's stake. Every signer
    /// has re-executed a fault, so this is a lie, or no work at all.
    function DECLARED_BPS() external view returns (uint256);

    /// @notice Number of disputes that `taskId` has had, and the number of the last.
    function disputesOf(TaskId taskId) external view returns (uint256);

    /// @notice State of a dispute; all zero when there is none.
    function disputeOf(TaskId taskId, uint256 dispute) external view returns (Dispute memory);

    /// @notice One case; reverts when there is none.
    function caseOf(TaskId taskId, uint256 dispute, uint256 number) external view returns (Case memory);

    /// @notice Members of the task's committee that were punished in a dispute for cases of this kind.
    function punishedOf(TaskId taskId, uint256 dispute, CaseKind kind) external view returns (uint64);

    /// @notice Whether the miner of the contribution with this leaf was slashed for it.
    function convicted(TaskId taskId, bytes32 leaf) external view returns (bool);

    /// @notice EIP-712 digest, in the market's domain, that the members of the court sign:
    /// `Verdict(uint256 taskId,uint32 certificateIndex,uint32 dispute,uint64 upheld)`, where `certificateIndex` is the
    /// lowest index of a challenged certificate.
    function verdictDigest(TaskId taskId, uint256 dispute, uint64 upheld) external view returns (bytes32);

    /// @notice Says that a contribution was accepted wrongly. Takes `bondOf` the case from the caller, which needs an allowance.
    /// Opens a dispute, or joins the one that is running. Refused, in this order, unless: the leaf is under the record's
    /// contributions root; the certificate stands and is kept; its window is open, or the dispute that is running freezes
    /// it; cases can join, and there is room for one; the leaf is not there.
    /// @param batch Where the lie shows, for the court to look at first: the number of a micro-batch, 2^32 - 2 for their
    /// sum, 2^32 - 1 for neither. Nothing rests on it: a false one costs the court the time to look there.
    /// @return dispute Number of the dispute.
    /// @return number Number of the case in it.
    function challengeContribution(
        TaskId taskId,
        CertificateRecord calldata record,
        ContributionLeaf calldata leaf,
        bytes32[] calldata proof,
        uint32 batch
    ) external returns (uint256 dispute, uint256 number);

    /// @notice Says that a fault was declared wrongly: the miner's appeal, which anyone may bring. As
    /// `challengeContribution`, with the leaf under the faults root; refused when the fault was slashed or voided.
    /// @return dispute Number of the dispute.
    /// @return number Number of the case in it.
    function challengeFault(
        TaskId taskId,
        CertificateRecord calldata record,
        FaultLeaf calldata leaf,
        bytes32[] calldata proof
    ) external returns (uint256 dispute, uint256 number);

    /// @notice Assigns the court of the running dispute, drawn with the hash of a block to come (`Committee.drawCourt`).
    /// Anyone may call it, once, from `joinEnds` on.
    function summon(TaskId taskId) external;

    /// @notice Decides the running dispute by a certificate of its court. Anyone may post it, between `joinEnds` and
    /// `verdictEnds`.
    /// @param upheld Bitmap of the cases that are right.
    /// @param signers Bitmap over the court.
    /// @param signatures 64 bytes (EIP-2098, low s) for each set bit, ascending.
    /// @param before When a contribution case is upheld: record of the certificate before the first one that falls; not
    /// looked at when that is number 0.
    function decide(
        TaskId taskId,
        uint64 upheld,
        uint64 signers,
        bytes calldata signatures,
        CertificateRecord calldata before
    ) external;

    /// @notice Ends the running dispute after `verdictEnds`; everything stands as it was certified. Anyone may call it.
    function lapse(TaskId taskId) external;

    /// @notice Pays the bond of a case out. Anyone may call it, once for each case, at any time after the dispute.
    function settle(TaskId taskId, uint256 dispute, uint256 number) external;

    /// @notice Slashes the miner of an upheld contribution case, once for each contribution. Anyone may call it. Refused,
    /// in this order, unless: the case was upheld; the contribution is the one that it is about; the miner signed it; it
    /// was not slashed for it before.
    /// @param contribution What the miner claimed to have computed.
    /// @param signature The miner's signature of it, 64 bytes (EIP-2098, low s).
    /// @return taken Stake that was taken; 0 when nothing is left.
    function convict(
        TaskId taskId,
        uint256 dispute,
        uint256 number,
        Contribution calldata contribution,
        bytes calldata signature
    ) external returns (uint256 taken);

    /// @notice Slashes signers of the certificate of an upheld case, each once for each kind of case in a dispute, and
    /// for the first of them that it signed. Anyone may call it.
    /// @param members Bitmap over the task's committee: whom to punish in this call.
    function punish(TaskId taskId, uint256 dispute, uint256 number, uint64 members) external;
}
