// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

import {ContestPanels} from "./ContestPanels.sol";
import {ICommittee} from "./interfaces/ICommittee.sol";
import {ILearningContest} from "./interfaces/ILearningContest.sol";
import {IContestPanels} from "./interfaces/IContestPanels.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {CertificateLib} from "./libraries/CertificateLib.sol";
import {ContestTermsLib} from "./libraries/ContestTermsLib.sol";
import {PuzzleLib} from "./libraries/PuzzleLib.sol";
import {QuorumLib} from "./libraries/QuorumLib.sol";
import {RoundingLib} from "./libraries/RoundingLib.sol";
import {ScoreLib} from "./libraries/ScoreLib.sol";
import {TokenLib} from "./libraries/TokenLib.sol";
import {
    Contest,
    ContestId,
    ContestParams,
    ContestStatus,
    Entry,
    LearningBlock,
    Outcome,
    ScoreCertificate
} from "./types/Contest.sol";
import {Epoch} from "./types/Ids.sol";
import {Permit} from "./types/Permit.sol";

/// @title LearningContest
/// @notice See {ILearningContest}. Everything is fixed at construction; there is no owner.
contract LearningContest is ILearningContest, ReentrancyGuardTransient {
    using ContestTermsLib for ContestParams;
    using SafeERC20 for IERC20;
    using ScoreLib for ScoreCertificate;
    using TokenLib for IERC20;

    /// @inheritdoc ILearningContest
    uint256 public constant MAX_ENTRIES = ContestTermsLib.MAX_ENTRIES;
    /// @inheritdoc ILearningContest
    uint32 public constant NO_SCORE = ScoreLib.NO_SCORE;
    /// @inheritdoc ILearningContest
    uint8 public constant NO_WINNER = ScoreLib.NO_WINNER;
    /// @inheritdoc ILearningContest
    uint256 public constant SIGNER_BPS = 1_000;
    /// @dev Bounds of a court's term, in seconds.
    uint256 private constant MIN_COURT_TERM = 1 minutes;
    uint256 private constant MAX_COURT_TERM = 7 days;

    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant NAME_HASH = keccak256(bytes(CertificateLib.DOMAIN_NAME));
    bytes32 private constant VERSION_HASH = keccak256(bytes(CertificateLib.DOMAIN_VERSION));

    /// @inheritdoc ILearningContest
    IERC20 public immutable TOKEN;
    /// @inheritdoc ILearningContest
    IStakeVault public immutable VAULT;
    /// @inheritdoc ILearningContest
    ICommittee public immutable COMMITTEE;
    /// @inheritdoc ILearningContest
    IContestPanels public immutable PANELS;
    /// @inheritdoc ILearningContest
    uint256 public immutable BOND;
    /// @inheritdoc ILearningContest
    uint256 public immutable COURT_TERM;

    /// @inheritdoc ILearningContest
    uint256 public contestCount;
    /// @inheritdoc ILearningContest
    bytes32 public head;
    /// @inheritdoc ILearningContest
    uint64 public height;
    /// @inheritdoc ILearningContest
    uint64 public headTime;
    /// @inheritdoc ILearningContest
    uint64 public openContests;
    /// @inheritdoc ILearningContest
    mapping(address account => uint256) public owed;
    /// @inheritdoc ILearningContest
    mapping(ContestId contestId => mapping(address miner => uint256)) public entryNumber;

    mapping(ContestId contestId => Contest) private _contests;
    mapping(ContestId contestId => ContestParams) private _params;
    mapping(ContestId contestId => mapping(uint256 entry => Entry)) private _entries;
    /// @dev The entries that a committee could not read, by its certificate.
    mapping(ContestId contestId => uint64) private _unread;

    /// @param vault Vault that names this contract as a slasher; its token is the contest's.
    /// @param committee Where the validators' snapshots come from; its vault is `vault`.
    /// @param bond Bond of a challenge, in the token's smallest unit; at least 2, so that a lost one can be halved.
    /// @param courtTerm Seconds that a court has, MIN_COURT_TERM..MAX_COURT_TERM.
    constructor(IStakeVault vault, ICommittee committee, uint256 bond, uint256 courtTerm) {
        if (!vault.isSlasher(address(this))) revert MiswiredDeployment("vault.isSlasher(contest)");
        if (address(committee.VAULT()) != address(vault)) revert MiswiredDeployment("committee.VAULT");
        if (bond < 2 || bond > type(uint96).max) revert OutOfBounds("bond", bond, 2, type(uint96).max);
        if (courtTerm < MIN_COURT_TERM || courtTerm > MAX_COURT_TERM) {
            revert OutOfBounds("courtTerm", courtTerm, MIN_COURT_TERM, MAX_COURT_TERM);
        }
        TOKEN = vault.TOKEN();
        VAULT = vault;
        COMMITTEE = committee;
        PANELS = new ContestPanels(committee);
        BOND = bond;
        COURT_TERM = courtTerm;
        LearningBlock memory genesis;
        genesis.parent = domainSeparator();
        head = sha256(abi.encode(genesis));
    }

    /// @inheritdoc ILearningContest
    function post(ContestParams calldata params) external nonReentrant returns (ContestId contestId) {
        return _post(params);
    }

    /// @inheritdoc ILearningContest
    function postWithPermit(ContestParams calldata params, Permit calldata permit)
        external
        nonReentrant
        returns (ContestId contestId)
    {
        TOKEN.tryPermit(permit);
        return _post(params);
    }

    /// @inheritdoc ILearningContest
    function cancel(ContestId contestId) external nonReentrant {
        Contest storage self = _requireStatus(contestId, ContestStatus.Open);
        if (msg.sender != self.poster) revert NotContestPoster(contestId, msg.sender);
        if (self.entries != 0) revert HasEntries(contestId, self.entries);
        _end(contestId, self, Outcome.Cancelled, address(0), _params[contestId].escrow());
    }

    /// @inheritdoc ILearningContest
    function commit(ContestId contestId, bytes32 commitment) external nonReentrant returns (uint256 entry) {
        Contest storage self = _requireStatus(contestId, ContestStatus.Open);
        ContestParams storage params = _params[contestId];
        _requireUntil(contestId, params.commitDeadline);
        if (commitment == bytes32(0)) revert ZeroCommitment(contestId);
        if (entryNumber[contestId][msg.sender] != 0) revert AlreadyEntered(contestId, msg.sender);
        entry = self.entries;
        if (entry == params.maxEntries) revert ContestFull(contestId, entry);
        uint256 stake = VAULT.stakeOf(msg.sender);
        if (stake < params.minerStake) revert MinerStakeTooSmall(msg.sender, stake, params.minerStake);
        entryNumber[contestId][msg.sender] = entry + 1;
        _entries[contestId][entry] =
            Entry(msg.sender, uint40(block.timestamp), commitment, bytes32(0), bytes32(0));
        self.entries = uint8(entry + 1);
        emit EntryCommitted(contestId, entry, msg.sender, commitment);
    }

    /// @inheritdoc ILearningContest
    function release(ContestId contestId, bytes32 key) external nonReentrant {
        Contest storage self = _requireStatus(contestId, ContestStatus.Open);
        ContestParams storage params = _params[contestId];
        if (self.entries == 0) revert HasNoEntries(contestId);
        _requireAfter(contestId, params.commitDeadline);
        _requireUntil(contestId, uint256(params.commitDeadline) + params.releaseTerm);
        bytes32 keyHash = keccak256(abi.encode(key));
        if (keyHash != params.keyHash) revert WrongKey(contestId, keyHash, params.keyHash);
        uint256 revealEnds = block.timestamp + params.revealTerm;
        (self.status, self.endsAt) = (ContestStatus.Released, uint40(revealEnds));
        emit TestSetReleased(contestId, key, revealEnds);
        PANELS.assign(contestId, self.epoch, params.committeeSize);
    }

    /// @inheritdoc ILearningContest
    function reveal(ContestId contestId, bytes32 model, bytes32 traceRoot, bytes32 salt)
        external
        nonReentrant
    {
        Contest storage self = _requireStatus(contestId, ContestStatus.Released);
        _requireUntil(contestId, self.endsAt);
        uint256 number = entryNumber[contestId][msg.sender];
        if (number == 0) revert NotEntered(contestId, msg.sender);
        uint256 entry = number - 1;
        if ((self.revealed >> entry) & 1 != 0) revert AlreadyRevealed(contestId, msg.sender);
        Entry storage mine = _entries[contestId][entry];
        bytes32 shown = commitmentDigest(contestId, msg.sender, model, traceRoot, salt);
        if (shown != mine.commitment) revert CommitmentMismatch(contestId, shown, mine.commitment);
        (mine.model, mine.traceRoot) = (model, traceRoot);
        self.revealed |= uint64(1) << uint64(entry);
        emit EntryRevealed(contestId, entry, msg.sender, model, traceRoot, salt);
    }

    /// @inheritdoc ILearningContest
    function certify(
        ScoreCertificate calldata certificate,
        uint32[] calldata scores,
        uint64 signers,
        bytes calldata signatures
    ) external nonReentrant {
        ContestId contestId = certificate.contestId;
        Contest storage self = _requireKnown(contestId);
        uint256 instance = _instanceDue(contestId, self);
        uint64 unread = ScoreLib.check(self, _params[contestId], instance, certificate, scores);
        PANELS.verify(contestId, instance, scoreDigest(certificate), signers, signatures);
        uint64 before = self.signers;
        bytes32 result = certificate.findings();
        bool changed = result != self.result;
        // What a committee could not fetch may be shown to the court: that proves no lie.
        bool lied =
            instance != 0 && changed && !certificate.agreesBut(scores, _unread[contestId], self.result);
        if (instance == 0 || changed) _adopt(contestId, self, certificate, scores, signers);
        emit ScoresAccepted(contestId, instance, certificate, scores, signers, self.winner);
        if (instance == 0) {
            self.endsAt = uint40(block.timestamp + _params[contestId].challengeWindow);
            if (unread != 0) _unread[contestId] = unread;
        } else {
            self.endsAt = uint40(block.timestamp);
            _settleChallenge(contestId, self, changed, lied ? before : 0);
        }
    }

    /// @inheritdoc ILearningContest
    function challenge(ContestId contestId) external nonReentrant {
        Contest storage self = _requireStatus(contestId, ContestStatus.Scored);
        // The end of the window belongs to `close`, and after the court's word there is none.
        if (block.timestamp >= self.endsAt || self.challenger != address(0)) {
            revert TooLate(contestId, block.timestamp, self.endsAt);
        }
        uint256 courtEnds = block.timestamp + COURT_TERM;
        (self.status, self.endsAt, self.challenger) =
        (ContestStatus.Challenged, uint40(courtEnds), msg.sender);
        emit ScoresChallenged(contestId, msg.sender, courtEnds);
        PANELS.assignCourt(contestId);
        TOKEN.pull(BOND);
    }

    /// @inheritdoc ILearningContest
    function close(ContestId contestId) external nonReentrant returns (Outcome outcome) {
        Contest storage self = _requireKnown(contestId);
        ContestStatus status = self.status;
        if (status == ContestStatus.Open) return _closeUnreleased(contestId, self);
        if (status == ContestStatus.Released) return _closeUnscored(contestId, self);
        if (status == ContestStatus.Challenged) {
            _requireAfter(contestId, self.endsAt);
            owed[self.challenger] += BOND;
        } else if (status == ContestStatus.Scored) {
            if (block.timestamp < self.endsAt) revert TooEarly(contestId, block.timestamp, self.endsAt);
        } else {
            revert ContestIs(contestId, status);
        }
        return _closeScored(contestId, self);
    }

    /// @inheritdoc ILearningContest
    function appendPuzzle(LearningBlock calldata added, bytes calldata payloads)
        external
        nonReentrant
        returns (bytes32 blockHash)
    {
        if (openContests != 0) revert ContestsOpen(openContests);
        blockHash = PuzzleLib.check(added, head, height, headTime);
        PuzzleLib.checkPayloads(added.transactions, payloads);
        (head, height, headTime) = (blockHash, added.height, added.time);
        if (payloads.length != 0) emit PayloadsShown(added.transactions, payloads);
        emit BlockAppended(blockHash, added);
    }

    /// @inheritdoc ILearningContest
    function collect(address account) external nonReentrant returns (uint256 amount) {
        amount = owed[account];
        if (amount == 0) revert NothingOwed(account);
        owed[account] = 0;
        emit Collected(account, amount);
        TOKEN.safeTransfer(account, amount);
    }

    /// @inheritdoc ILearningContest
    function contest(ContestId contestId) external view returns (Contest memory) {
        return _contests[contestId];
    }

    /// @inheritdoc ILearningContest
    function paramsOf(ContestId contestId) external view returns (ContestParams memory) {
        return _params[contestId];
    }

    /// @inheritdoc ILearningContest
    function entryOf(ContestId contestId, uint256 entry) external view returns (Entry memory) {
        if (entry >= _contests[contestId].entries) revert NotEntered(contestId, address(0));
        return _entries[contestId][entry];
    }

    /// @inheritdoc ILearningContest
    function held(ContestId contestId) external view returns (uint256) {
        ContestStatus status = _contests[contestId].status;
        if (status == ContestStatus.None || status == ContestStatus.Closed) return 0;
        return _params[contestId].escrow();
    }

    /// @inheritdoc ILearningContest
    function domainSeparator() public view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPEHASH, NAME_HASH, VERSION_HASH, block.chainid, address(this)));
    }

    /// @inheritdoc ILearningContest
    function commitmentDigest(
        ContestId contestId,
        address miner,
        bytes32 model,
        bytes32 traceRoot,
        bytes32 salt
    ) public view returns (bytes32) {
        return _digest(ScoreLib.commitmentHash(contestId, miner, model, traceRoot, salt));
    }

    /// @inheritdoc ILearningContest
    function scoreDigest(ScoreCertificate calldata certificate) public view returns (bytes32) {
        return _digest(certificate.structHash());
    }

    function _post(ContestParams calldata params) private returns (ContestId contestId) {
        params.check();
        Epoch epoch = COMMITTEE.currentEpoch();
        params.checkStakesStay(COMMITTEE, VAULT, epoch, COURT_TERM);
        PANELS.checkSize(epoch, params.committeeSize);
        contestId = ContestId.wrap(++contestCount);
        ++openContests;
        _params[contestId] = params;
        Contest storage self = _contests[contestId];
        (self.poster, self.status, self.epoch) = (msg.sender, ContestStatus.Open, epoch);
        (self.endsAt, self.parent, self.winner) = (uint40(params.commitDeadline), head, NO_WINNER);
        uint256 escrow = _params[contestId].escrow();
        emit ContestPosted(contestId, msg.sender, params.specHash, params, epoch, head, escrow);
        TOKEN.pull(escrow);
    }

    /// @dev Which instance may certify now.
    function _instanceDue(ContestId contestId, Contest storage self) private view returns (uint256) {
        if (self.status == ContestStatus.Challenged) {
            _requireUntil(contestId, self.endsAt);
            return 1;
        }
        if (self.status != ContestStatus.Released) revert ContestIs(contestId, self.status);
        if (!_allRevealed(self)) _requireAfter(contestId, self.endsAt);
        _requireUntil(contestId, uint256(self.endsAt) + _params[contestId].scoreTerm);
        return 0;
    }

    /// @dev Makes a certificate the one that stands.
    function _adopt(
        ContestId contestId,
        Contest storage self,
        ScoreCertificate calldata certificate,
        uint32[] calldata scores,
        uint64 signers
    ) private {
        ContestParams storage params = _params[contestId];
        (self.winner, self.winnerCorrect) = ScoreLib.winner(scores, params.targetCorrect, params.minCorrect);
        (self.badTestSet, self.frauds) = (certificate.badTestSet, certificate.frauds);
        (self.result, self.transactions) = (certificate.findings(), certificate.transactions);
        (self.signers, self.decidedBy) = (signers, uint8(certificate.instance));
        self.status = ContestStatus.Scored;
    }

    /// @dev The court has spoken: the bond, and those of `signed` who signed what it did not find.
    function _settleChallenge(ContestId contestId, Contest storage self, bool upheld, uint64 signed) private {
        self.status = ContestStatus.Scored;
        emit ChallengeDecided(contestId, upheld);
        if (!upheld) {
            address wronged = self.winner == NO_WINNER ? self.poster : _entries[contestId][self.winner].miner;
            // Whoever challenges itself is not wronged by it.
            uint256 part = wronged == self.challenger ? 0 : BOND / 2;
            owed[wronged] += part;
            owed[VAULT.TREASURY()] += BOND - part;
            return;
        }
        owed[self.challenger] += BOND;
        uint256 amount = RoundingLib.bpsDown(COMMITTEE.VALIDATOR_STAKE(), SIGNER_BPS);
        uint256 heldAt = COMMITTEE.startedAt(self.epoch);
        address[] memory members = PANELS.members(contestId, 0);
        for (uint256 i = 0; signed >> i != 0; ++i) {
            if ((signed >> i) & 1 == 0) continue;
            address signer = members[i];
            uint256 taken = _slash(signer, amount, heldAt, address(0), self.challenger);
            emit SignerSlashed(contestId, signer, taken);
        }
    }

    function _closeUnreleased(ContestId contestId, Contest storage self) private returns (Outcome) {
        ContestParams storage params = _params[contestId];
        if (self.entries == 0) {
            _requireAfter(contestId, params.commitDeadline);
            return _end(contestId, self, Outcome.NoEntries, address(0), params.escrow());
        }
        _requireAfter(contestId, uint256(params.commitDeadline) + params.releaseTerm);
        _compensate(contestId, self, params);
        uint256 refund = uint256(params.reward) + params.fee;
        return _end(contestId, self, Outcome.NotReleased, address(0), refund);
    }

    function _closeUnscored(ContestId contestId, Contest storage self) private returns (Outcome) {
        ContestParams storage params = _params[contestId];
        bool nothing = self.revealed == 0;
        _requireAfter(contestId, nothing ? self.endsAt : uint256(self.endsAt) + params.scoreTerm);
        Outcome outcome = nothing ? Outcome.NothingRevealed : Outcome.NotScored;
        return _end(contestId, self, outcome, address(0), params.escrow());
    }

    function _closeScored(ContestId contestId, Contest storage self) private returns (Outcome) {
        ContestParams storage params = _params[contestId];
        uint256 refund = _payFees(contestId, self, params.fee);
        if (self.badTestSet) {
            _compensate(contestId, self, params);
            return _end(contestId, self, Outcome.BadTestSet, address(0), refund + params.reward);
        }
        _slashFrauds(contestId, self, params.slashPerFault);
        refund += uint256(params.compensation) * params.maxEntries;
        if (self.winner == NO_WINNER) {
            return _end(contestId, self, Outcome.NoWinner, address(0), refund + params.reward);
        }
        address winner = _entries[contestId][self.winner].miner;
        owed[winner] += params.reward;
        _append(contestId, self, params.testAnswers);
        return _end(contestId, self, Outcome.Won, winner, refund);
    }

    /// @dev The poster's fault: each entry gets its compensation, and what was put by for others goes to the treasury, so
    /// that nobody gains by entering its own contest.
    function _compensate(ContestId contestId, Contest storage self, ContestParams storage params) private {
        for (uint256 i = 0; i < self.entries; ++i) {
            owed[_entries[contestId][i].miner] += params.compensation;
        }
        owed[VAULT.TREASURY()] += uint256(params.compensation) * (params.maxEntries - self.entries);
    }

    /// @dev Equal shares, rounded down; returns the dust, which is the poster's.
    function _payFees(ContestId contestId, Contest storage self, uint256 fee) private returns (uint256) {
        uint64 signers = self.signers;
        uint256 share = RoundingLib.shareDown(fee, QuorumLib.popcount(signers));
        if (share == 0) return fee;
        address[] memory members = PANELS.members(contestId, self.decidedBy);
        for (uint256 i = 0; signers >> i != 0; ++i) {
            if ((signers >> i) & 1 == 0) continue;
            owed[members[i]] += share;
            fee -= share;
        }
        return fee;
    }

    function _slashFrauds(ContestId contestId, Contest storage self, uint256 amount) private {
        uint64 frauds = self.frauds;
        for (uint256 i = 0; frauds >> i != 0; ++i) {
            if ((frauds >> i) & 1 == 0) continue;
            Entry storage entry = _entries[contestId][i];
            uint256 taken = _slash(entry.miner, amount, entry.committedAt, self.poster, address(0));
            emit EntrySlashed(contestId, i, entry.miner, taken);
        }
    }

    /// @dev Whoever has nothing left loses nothing, and blocks nobody else's money.
    function _slash(address account, uint256 amount, uint256 heldAt, address victim, address reporter)
        private
        returns (uint256)
    {
        if (amount == 0 || VAULT.slashableOf(account) == 0 || VAULT.slashableAt(account, heldAt) == 0) return 0;
        return VAULT.slash(account, amount, heldAt, victim, reporter).amount;
    }

    function _append(ContestId contestId, Contest storage self, uint32 answers) private {
        Entry storage entry = _entries[contestId][self.winner];
        LearningBlock memory added;
        (added.kind, added.parent, added.task, added.answers) = (1, head, contestId, answers);
        (added.winner, added.model, added.correct) = (entry.miner, entry.model, self.winnerCorrect);
        added.transactions = self.transactions;
        added.height = ++height;
        // Two contests may end in one block of the chain below.
        added.time = headTime < block.timestamp ? uint64(block.timestamp) : headTime + 1;
        (head, headTime) = (sha256(abi.encode(added)), added.time);
        emit BlockAppended(head, added);
    }

    /// @dev The last step of every contest: the rest is the poster's.
    function _end(ContestId contestId, Contest storage self, Outcome outcome, address winner, uint256 refund)
        private
        returns (Outcome)
    {
        (self.status, self.outcome) = (ContestStatus.Closed, outcome);
        --openContests;
        owed[self.poster] += refund;
        emit ContestClosed(contestId, outcome, winner, refund);
        return outcome;
    }

    function _digest(bytes32 structHash) private view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(domainSeparator(), structHash);
    }

    function _allRevealed(Contest storage self) private view returns (bool) {
        return QuorumLib.popcount(self.revealed) == self.entries;
    }

    function _requireAfter(ContestId contestId, uint256 last) private view {
        if (block.timestamp <= last) revert TooEarly(contestId, block.timestamp, last + 1);
    }

    function _requireUntil(ContestId contestId, uint256 last) private view {
        if (block.timestamp > last) revert TooLate(contestId, block.timestamp, last);
    }

    function _requireStatus(ContestId contestId, ContestStatus needed)
        private
        view
        returns (Contest storage self)
    {
        self = _requireKnown(contestId);
        if (self.status != needed) revert ContestIs(contestId, self.status);
    }

    function _requireKnown(ContestId contestId) private view returns (Contest storage self) {
        self = _contests[contestId];
        if (self.status == ContestStatus.None) revert ContestUnknown(contestId);
    }
}
