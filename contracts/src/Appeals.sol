// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

import {IAppeals} from "./interfaces/IAppeals.sol";
import {ICommittee} from "./interfaces/ICommittee.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {ITrainingMarket} from "./interfaces/ITrainingMarket.sol";
import {ContributionLib} from "./libraries/ContributionLib.sol";
import {LeafLib} from "./libraries/LeafLib.sol";
import {RoundingLib} from "./libraries/RoundingLib.sol";
import {TokenLib} from "./libraries/TokenLib.sol";
import {Case, CaseKind, Dispute, DisputeStatus, WHOLE} from "./types/Appeal.sol";
import {CertificateRecord, Contribution, ContributionLeaf, FaultLeaf} from "./types/Certificate.sol";
import {TaskId} from "./types/Ids.sol";
import {Task} from "./types/Task.sol";

/// @title Appeals
/// @notice See {IAppeals}. Everything is fixed at construction; there is no owner.
contract Appeals is IAppeals, ReentrancyGuardTransient {
    using ContributionLib for Contribution;
    using SafeERC20 for IERC20;
    using TokenLib for IERC20;

    /// @inheritdoc IAppeals
    uint256 public constant MAX_CASES = 64;
    /// @inheritdoc IAppeals
    uint256 public constant CASES_PER_DOUBLING = 8;
    /// @inheritdoc IAppeals
    uint256 public constant ACCEPTED_BPS = 1_000;
    /// @inheritdoc IAppeals
    uint256 public constant DECLARED_BPS = 5_000;
    /// @notice Bounds of a court's term, in seconds.
    uint256 public constant MIN_COURT_TERM = 1 minutes;
    uint256 public constant MAX_COURT_TERM = 7 days;

    bytes32 private constant VERDICT_TYPEHASH =
        keccak256("Verdict(uint256 taskId,uint32 certificateIndex,uint32 dispute,uint64 upheld)");

    /// @inheritdoc IAppeals
    ITrainingMarket public immutable MARKET;
    /// @notice Token of the bonds, the market's.
    IERC20 public immutable TOKEN;
    /// @notice Vault whose stakes are slashed, the market's.
    IStakeVault public immutable VAULT;
    /// @inheritdoc IAppeals
    uint256 public immutable BOND;
    /// @inheritdoc IAppeals
    uint256 public immutable COURT_TERM;

    /// @inheritdoc IAppeals
    mapping(TaskId taskId => uint256) public disputesOf;
    /// @inheritdoc IAppeals
    mapping(TaskId taskId => mapping(uint256 dispute => mapping(CaseKind kind => uint64))) public punishedOf;
    /// @inheritdoc IAppeals
    mapping(TaskId taskId => mapping(bytes32 leaf => bool)) public convicted;

    mapping(TaskId taskId => mapping(uint256 dispute => Dispute)) private _disputes;
    mapping(TaskId taskId => mapping(uint256 dispute => mapping(uint256 number => Case))) private _cases;
    /// @dev Keyed by task, dispute, certificate, kind and leaf.
    mapping(bytes32 key => bool) private _brought;

    /// @param token The market's token.
    /// @param vault The market's vault, which names this contract as a slasher.
    /// @param market The market; its address may be computed before it exists, and its constructor refuses an appeals
    /// contract that names another.
    /// @param bond Bond of one of the first cases, in the token's smallest unit; at least 2, so that a lost one can be halved.
    /// @param courtTerm Seconds that a court has, MIN_COURT_TERM..MAX_COURT_TERM.
    constructor(IERC20 token, IStakeVault vault, ITrainingMarket market, uint256 bond, uint256 courtTerm) {
        if (bond < 2 || bond > type(uint96).max) revert OutOfBounds("bond", bond, 2, type(uint96).max);
        if (courtTerm < MIN_COURT_TERM || courtTerm > MAX_COURT_TERM) {
            revert OutOfBounds("courtTerm", courtTerm, MIN_COURT_TERM, MAX_COURT_TERM);
        }
        TOKEN = token;
        VAULT = vault;
        MARKET = market;
        BOND = bond;
        COURT_TERM = courtTerm;
    }

    /// @inheritdoc IAppeals
    function challengeContribution(
        TaskId taskId,
        CertificateRecord calldata record,
        ContributionLeaf calldata leaf,
        bytes32[] calldata proof,
        uint32 batch
    ) external nonReentrant returns (uint256 dispute, uint256 number) {
        bytes32 leafHash = LeafLib.contribution(leaf);
        LeafLib.requireLeaf(taskId, leafHash, record.contributionsRoot, proof);
        return _challenge(taskId, record, CaseKind.Contribution, leaf.miner, leafHash, batch);
    }

    /// @inheritdoc IAppeals
    function challengeFault(
        TaskId taskId,
        CertificateRecord calldata record,
        FaultLeaf calldata leaf,
        bytes32[] calldata proof
    ) external nonReentrant returns (uint256 dispute, uint256 number) {
        bytes32 leafHash = LeafLib.fault(leaf);
        LeafLib.requireLeaf(taskId, leafHash, record.faultsRoot, proof);
        if (MARKET.slashed(taskId, leafHash)) revert FaultSettled(taskId, leafHash);
        // Where a declared fault shows stands in the reports.
        return _challenge(taskId, record, CaseKind.Fault, leaf.miner, leafHash, WHOLE);
    }

    /// @inheritdoc IAppeals
    function summon(TaskId taskId) external {
        (uint256 number, Dispute storage self) = _running(taskId);
        if (block.timestamp < self.joinEnds) revert VerdictTooEarly(taskId, number, self.joinEnds);
        emit CourtSummoned(taskId, number);
        MARKET.COMMITTEE().assignCourt(taskId, number);
    }

    /// @inheritdoc IAppeals
    function decide(
        TaskId taskId,
        uint64 upheld,
        uint64 signers,
        bytes calldata signatures,
        CertificateRecord calldata before
    ) external nonReentrant {
        (uint256 number, Dispute storage self) = _running(taskId);
        if (block.timestamp < self.joinEnds) revert VerdictTooEarly(taskId, number, self.joinEnds);
        if (block.timestamp >= self.verdictEnds) revert VerdictTooLate(taskId, number, self.verdictEnds);
        if (upheld >> self.cases != 0) revert CaseUnknown(taskId, number, self.cases);
        MARKET.COMMITTEE()
            .verifyCourt(taskId, number, verdictDigest(taskId, number, upheld), signers, signatures);
        self.status = DisputeStatus.Decided;
        self.upheld = upheld;
        emit VerdictAccepted(taskId, number, upheld, signers);
        uint256 from = _execute(taskId, number, upheld);
        if (from == type(uint256).max) MARKET.endDispute(taskId);
        else MARKET.overturn(taskId, from, before);
    }

    /// @inheritdoc IAppeals
    function lapse(TaskId taskId) external nonReentrant {
        (uint256 number, Dispute storage self) = _running(taskId);
        if (block.timestamp < self.verdictEnds) {
            revert VerdictStillPossible(taskId, number, self.verdictEnds);
        }
        self.status = DisputeStatus.Lapsed;
        emit DisputeLapsed(taskId, number);
        MARKET.endDispute(taskId);
    }

    /// @inheritdoc IAppeals
    function settle(TaskId taskId, uint256 dispute, uint256 number) external nonReentrant {
        Case storage matter = _requireCase(taskId, dispute, number);
        Dispute storage self = _disputes[taskId][dispute];
        if (self.status == DisputeStatus.Open) revert DisputeIs(taskId, dispute, self.status);
        if (matter.settled) revert CaseIsSettled(taskId, dispute, number);
        matter.settled = true;
        address challenger = matter.challenger;
        uint256 bond = bondOf(number);
        if (_isUpheld(self, number) || self.status == DisputeStatus.Lapsed) {
            emit CaseSettled(taskId, dispute, number, bond, 0);
            TOKEN.safeTransfer(challenger, bond);
            return;
        }
        address wronged = matter.kind == CaseKind.Contribution ? matter.miner : MARKET.task(taskId).poster;
        // Whoever challenges itself is not wronged by it.
        uint256 compensation = wronged == challenger ? 0 : bond / 2;
        emit CaseSettled(taskId, dispute, number, 0, compensation);
        if (compensation != 0) TOKEN.safeTransfer(wronged, compensation);
        TOKEN.safeTransfer(VAULT.TREASURY(), bond - compensation);
    }

    /// @inheritdoc IAppeals
    function convict(
        TaskId taskId,
        uint256 dispute,
        uint256 number,
        Contribution calldata contribution,
        bytes calldata signature
    ) external nonReentrant returns (uint256 taken) {
        Case storage matter = _requireCase(taskId, dispute, number);
        if (!_isUpheld(_disputes[taskId][dispute], number)) revert CaseNotUpheld(taskId, dispute, number);
        bytes32 digest = contribution.digest(MARKET.domainSeparator());
        bytes32 leaf = LeafLib.contribution(contribution, digest);
        // A committee could accept what was signed for another task.
        if (!(contribution.taskId == taskId) || leaf != matter.leaf) {
            revert NotTheCase(taskId, dispute, number);
        }
        contribution.requireSigned(digest, signature);
        if (convicted[taskId][leaf]) revert AlreadyConvicted(taskId, leaf);
        convicted[taskId][leaf] = true;
        Task memory task = MARKET.task(taskId);
        taken = _slash(matter.miner, task.slashPerFault, matter.acceptedAt, task.poster, matter.challenger);
        emit MinerConvicted(taskId, dispute, number, matter.miner, taken);
    }

    /// @inheritdoc IAppeals
    function punish(TaskId taskId, uint256 dispute, uint256 number, uint64 members) external nonReentrant {
        Case storage matter = _requireCase(taskId, dispute, number);
        if (!_isUpheld(_disputes[taskId][dispute], number)) revert CaseNotUpheld(taskId, dispute, number);
        uint64 punished = punishedOf[taskId][dispute][matter.kind];
        uint64 due = members & matter.signers & ~punished & ~_chargedBefore(taskId, dispute, number);
        if (due == 0) revert NobodyToPunish(taskId, dispute, number);
        punishedOf[taskId][dispute][matter.kind] = punished | due;
        (uint256 amount, address victim, address reporter) = _penalty(taskId, matter);
        // A member's stake of the snapshot stands for all that it signs.
        uint256 heldAt = MARKET.COMMITTEE().startedAt(MARKET.task(taskId).epoch);
        address[] memory committee = MARKET.COMMITTEE().membersOfTask(taskId);
        for (uint256 i = 0; i < committee.length; ++i) {
            if ((due >> i) & 1 == 0) continue;
            uint256 taken = _slash(committee[i], amount, heldAt, victim, reporter);
            emit SignerPunished(taskId, dispute, number, committee[i], taken);
        }
    }

    /// @inheritdoc IAppeals
    function disputeOf(TaskId taskId, uint256 dispute) external view returns (Dispute memory) {
        return _disputes[taskId][dispute];
    }

    /// @inheritdoc IAppeals
    function caseOf(TaskId taskId, uint256 dispute, uint256 number) external view returns (Case memory) {
        return _requireCase(taskId, dispute, number);
    }

    /// @inheritdoc IAppeals
    function bondOf(uint256 number) public view returns (uint256) {
        return BOND << (number / CASES_PER_DOUBLING);
    }

    /// @inheritdoc IAppeals
    function verdictDigest(TaskId taskId, uint256 dispute, uint64 upheld) public view returns (bytes32) {
        uint32 first = _disputes[taskId][dispute].first;
        bytes32 hash = keccak256(abi.encode(VERDICT_TYPEHASH, taskId, first, uint32(dispute), upheld));
        return MessageHashUtils.toTypedDataHash(MARKET.domainSeparator(), hash);
    }

    function _challenge(
        TaskId taskId,
        CertificateRecord calldata record,
        CaseKind kind,
        address miner,
        bytes32 leaf,
        uint32 batch
    ) private returns (uint256 dispute, uint256 number) {
        // The market says whether the record is true and may be challenged.
        uint256 acceptedAt = MARKET.dispute(taskId, record);
        dispute = disputesOf[taskId];
        if (_disputes[taskId][dispute].status != DisputeStatus.Open) dispute = _open(taskId);
        Dispute storage self = _disputes[taskId][dispute];
        if (block.timestamp >= self.joinEnds) revert JoiningEnded(taskId, dispute, self.joinEnds);
        number = self.cases;
        if (number == MAX_CASES) revert DisputeFull(taskId, dispute, MAX_CASES);
        bytes32 key = keccak256(abi.encode(taskId, dispute, record.index, kind, leaf));
        if (_brought[key]) revert CaseExists(taskId, dispute, leaf);
        _brought[key] = true;
        _cases[taskId][dispute][number] = Case(
            msg.sender, record.signers, record.index, miner, kind, false, uint40(acceptedAt), batch, leaf
        );
        if (number == 0 || record.index < self.first) self.first = record.index;
        self.cases = uint8(number + 1);
        emit CaseBrought(taskId, dispute, number, msg.sender, kind, record.index, miner, leaf, batch);
        TOKEN.pull(bondOf(number));
    }

    function _open(TaskId taskId) private returns (uint256 dispute) {
        dispute = ++disputesOf[taskId];
        Dispute storage self = _disputes[taskId][dispute];
        uint256 joinEnds = block.timestamp + MARKET.task(taskId).challengeWindow;
        self.status = DisputeStatus.Open;
        self.joinEnds = uint40(joinEnds);
        self.verdictEnds = uint40(joinEnds + COURT_TERM);
        emit DisputeOpened(taskId, dispute, joinEnds, joinEnds + COURT_TERM);
    }

    /// @dev Voids the faults of the upheld cases. At most MAX_CASES steps.
    /// @return from Lowest certificate with an upheld contribution case; the largest number if there is none.
    function _execute(TaskId taskId, uint256 dispute, uint64 upheld) private returns (uint256 from) {
        from = type(uint256).max;
        for (uint256 i = 0; upheld >> i != 0; ++i) {
            if ((upheld >> i) & 1 == 0) continue;
            Case storage matter = _cases[taskId][dispute][i];
            if (matter.kind == CaseKind.Fault) MARKET.voidFault(taskId, matter.leaf);
            else if (matter.index < from) from = matter.index;
        }
    }

    /// @dev Whoever has nothing left loses nothing, and blocks nobody else's punishment.
    function _slash(address account, uint256 amount, uint256 heldAt, address victim, address reporter)
        private
        returns (uint256 taken)
    {
        if (amount == 0 || VAULT.slashableOf(account) == 0 || VAULT.slashableAt(account, heldAt) == 0) return 0;
        return VAULT.slash(account, amount, heldAt, victim, reporter).amount;
    }

    /// @dev Who signed what the case is about, and is charged with an earlier one: each signer answers for the first
    /// upheld case of a kind, so that no accomplice can step in as the victim or the reporter. At most MAX_CASES steps.
    function _chargedBefore(TaskId taskId, uint256 dispute, uint256 number)
        private
        view
        returns (uint64 charged)
    {
        mapping(uint256 number => Case) storage cases = _cases[taskId][dispute];
        Dispute storage self = _disputes[taskId][dispute];
        CaseKind kind = cases[number].kind;
        for (uint256 i = 0; i < number; ++i) {
            if (_isUpheld(self, i) && cases[i].kind == kind) charged |= cases[i].signers;
        }
    }

    /// @dev Honest members miss what lies outside their sample. So nobody gains by what they pay for that: a miner, or a
    /// poster, could otherwise plant bad work and challenge it. And it costs none of them more than the miner.
    function _penalty(TaskId taskId, Case storage matter)
        private
        view
        returns (uint256 amount, address victim, address reporter)
    {
        uint256 stake = MARKET.COMMITTEE().VALIDATOR_STAKE();
        if (matter.kind == CaseKind.Fault) {
            return (RoundingLib.bpsDown(stake, DECLARED_BPS), matter.miner, matter.challenger);
        }
        uint256 most = MARKET.task(taskId).slashPerFault;
        amount = RoundingLib.bpsDown(stake, ACCEPTED_BPS);
        if (amount > most) amount = most;
    }

    function _running(TaskId taskId) private view returns (uint256 number, Dispute storage self) {
        number = disputesOf[taskId];
        self = _disputes[taskId][number];
        if (self.status != DisputeStatus.Open) revert DisputeIs(taskId, number, self.status);
    }

    function _requireCase(TaskId taskId, uint256 dispute, uint256 number)
        private
        view
        returns (Case storage)
    {
        if (number >= _disputes[taskId][dispute].cases) {
            revert CaseUnknown(taskId, dispute, number);
        }
        return _cases[taskId][dispute][number];
    }

    function _isUpheld(Dispute storage self, uint256 number) private view returns (bool) {
        return (self.upheld >> number) & 1 != 0;
    }
}
