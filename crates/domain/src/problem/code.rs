//! The codes of problems, their titles, and what to do about them.

use std::fmt;

/// A stable problem code, shown as `MG0101`. Each has a page `design/problems/MG….md`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(u16);

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal, $title:literal;)+) => {
        impl Code {
            $($(#[doc = $doc])+ pub const $name: Code = Code($number);)+

            /// Every code, in the order of their numbers.
            pub const ALL: &'static [Code] = &[$(Code::$name),+];

            /// What the code stands for, in a few words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self.0 {
                    $($number => $title,)+
                    _ => "unknown problem",
                }
            }
        }
    };
}

codes! {
    /// Nothing resolvable claims the type that was asked for.
    UNKNOWN_TYPE = 101, "unknown type";
    /// A type exists, the method does not.
    UNKNOWN_METHOD = 102, "unknown method";
    /// No definition or workflow of that name.
    UNKNOWN_NAME = 103, "unknown definition or workflow";
    /// Two definitions or two workflows have one name or identifier.
    AMBIGUOUS_NAME = 104, "two files share a name";
    /// A kind, code or other word of ours that does not exist.
    UNKNOWN_WORD = 105, "unknown kind or code";
    /// A model has no item or version of that name.
    UNKNOWN_ITEM = 106, "unknown item of data";
    /// Two rows of equal origin claim one type.
    TYPE_CONFLICT = 110, "two sources claim one type";
    /// A lower row resolves because a higher one has no bundle.
    SHADOW_FALLBACK = 111, "a shadowed source stands in for a failed one";
    /// The export breaks the rules of its kind.
    EXPORT_REJECTED = 120, "the export breaks the rules of its kind";
    /// The export would be rejected by the rules of this version, but its inputs did not change.
    RULES_TIGHTENED = 121, "rules have tightened since the export was accepted";
    /// An export of another kind than its directory says.
    WRONG_KIND = 122, "the export belongs in another directory";
    /// A method name of an add-on exists on the target already.
    METHOD_COLLISION = 123, "an add-on's method exists already";
    /// An add-on's target does not resolve.
    ADD_ON_WAITS = 124, "an add-on waits for its type";
    /// Code looks for data or runs where only another program keeps them.
    FOREIGN_STATE = 125, "code reads files of another program";
    /// The file does not parse.
    SYNTAX = 201, "syntax error";
    /// A local import leads nowhere.
    UNRESOLVED_IMPORT = 202, "an import cannot be resolved";
    /// A local import leads out of its root.
    IMPORT_OUTSIDE_ROOT = 203, "an import leads outside the root";
    /// A specifier that is malformed.
    MALFORMED_SPECIFIER = 204, "malformed import specifier";
    /// The bundler reported an error that is none of the others.
    BUNDLE_FAILED = 205, "the bundle could not be built";
    /// A kind of import that the bundler in charge cannot serve.
    UNSUPPORTED_SPECIFIER = 206, "an import that no configured bundler supports";
    /// No configuration in force says which package a bare name means.
    UNMAPPED_IMPORT = 207, "nothing says which package an import means";
    /// A name is imported that the imported module does not export.
    MISSING_EXPORT = 208, "a name is imported that is not exported";
    /// Deno that runs the files of a source does something else than the bundle.
    UNLIKE_DENO = 209, "a source does something else where Deno runs its files";
    /// The worker process died while it worked on this input.
    WORKER_CRASHED = 210, "the worker crashed on this input";
    /// The worker was killed because it took too long.
    WORKER_TIMED_OUT = 211, "the worker ran out of time";
    /// The worker could not be started.
    WORKER_UNAVAILABLE = 212, "the worker could not be started";
    /// The module threw while it loaded.
    THREW_WHILE_LOADING = 220, "the module throws while it loads";
    /// The module used up its processor time while it loaded.
    CPU_LIMIT = 221, "the module never stops loading";
    /// The module used up its memory.
    MEMORY_LIMIT = 222, "the module uses too much memory";
    /// The module recursed too deep.
    STACK_LIMIT = 223, "the module recurses without end";
    /// Too many pending promises.
    JOB_LIMIT = 224, "the module queues promises without end";
    /// The module needs something that this engine does not have.
    REQUIREMENT_MISSING = 225, "the module needs something that this engine lacks";
    /// The code asked for something that no entry of `permissions:` grants it.
    PERMISSION_DENIED = 226, "the code asked for something that the repository does not grant";
    /// An outside program that this source needs is not there.
    RUNTIME_MISSING = 230, "a program that is needed is missing";
    /// The program is there, and something that it fetches on first use is not.
    RUNTIME_INCOMPLETE = 231, "a program lacks a part that it downloads on first use";
    /// The program was killed because it took too long.
    RUNTIME_TIMED_OUT = 232, "a program ran out of time";
    /// The program ended in a way that says nothing about the source.
    RUNTIME_FAILED = 233, "a program failed";
    /// The package registry cannot be reached.
    REGISTRY_UNREACHABLE = 301, "the package registry cannot be reached";
    /// The package registry answered with an error of its own (408, 425, 429, 5xx) or with garbage.
    REGISTRY_FAILED = 302, "the package registry failed";
    /// The package registry refused (401, 403, 407).
    REGISTRY_REFUSED = 303, "the package registry refused";
    /// The package or version does not exist (404, 410, nothing matches).
    PACKAGE_NOT_FOUND = 304, "no such package or version";
    /// A tarball does not have the digest that the registry promised.
    INTEGRITY_MISMATCH = 305, "a package does not match its integrity";
    /// Not cached, and the network may not be used.
    OFFLINE = 306, "not cached, and offline";
    /// The package needs what this version of Mangrove does not do.
    PACKAGE_UNSUPPORTED = 307, "a package that cannot be used";
    /// A package archive that is malformed or tries to leave its folder.
    PACKAGE_MALFORMED = 308, "a malformed package archive";
    /// The bundle's package closure would have to move, and `--locked` forbids it.
    LOCK_OUTDATED = 309, "the lock would have to change";
    /// A package imports a file that is none of its own.
    PACKAGE_IMPORT_OUTSIDE = 310, "a package imports a file that is not its own";
    /// A file or directory cannot be read.
    UNREADABLE = 401, "a file cannot be read";
    /// The disk is full or a quota is used up.
    DISK_FULL = 402, "no space left";
    /// Writing is not permitted.
    NOT_WRITABLE = 403, "not writable";
    /// A file name is not UTF-8.
    NAME_NOT_UTF8 = 404, "a file name is not UTF-8";
    /// A symbolic link leads out of its root.
    LINK_OUTSIDE_ROOT = 405, "a link leads outside the root";
    /// A root is not reachable.
    ROOT_UNREACHABLE = 406, "a source root cannot be reached";
    /// Most of a root's sources are missing at once.
    MASS_REMOVAL = 407, "most sources of a root are missing at once";
    /// The directory that a setting names for a kind is not there.
    MISSING_DIRECTORY = 408, "a configured directory is missing";
    /// Nothing below a mount or a pulled extension looks like extensions.
    ROOT_EMPTY = 409, "a root without extensions";
    /// A bundle is missing from the store.
    BUNDLE_MISSING = 410, "a bundle is missing from the store";
    /// A bundle is not what it was.
    BUNDLE_CORRUPT = 411, "a bundle is damaged";
    /// The bundle store belongs to another catalog.
    STORE_FOREIGN = 412, "the bundle store belongs to another catalog";
    /// A pulled extension lies there that the lockfile does not name.
    NOT_LOCKED = 413, "a pulled extension that is not locked";
    /// A source changed at every look of a scan.
    SOURCE_MOVING = 414, "a source kept changing while it was scanned";
    /// The catalog does not know every source, so that no bundle may be removed.
    SWEEP_WITHHELD = 415, "bundles are kept, because the catalog does not know every source";
    /// Files of a pulled extension are not those that the lockfile names.
    LOCK_DRIFT = 416, "a pulled extension differs from the lockfile";
    /// Something else than a regular file stands where a file is expected.
    NOT_A_FILE = 417, "not a regular file";
    /// A file is larger than its kind may be.
    FILE_TOO_LARGE = 418, "a file is too large to be read";
    /// There are more directories than one walk looks into, or it took too long.
    WALK_CUT = 419, "too many directories to look into";
    /// A pulled extension runs the bundle that it ships, because it cannot be built here.
    SHIPPED_IN_USE = 420, "a pulled extension runs the bundle that it ships";
    /// The bundle that a pulled extension ships is not the one that was accepted.
    SHIPPED_CHANGED = 421, "a shipped bundle is not the one that was accepted";
    /// A directory of the state, or a name on the way to it, is a link.
    STATE_LINK = 422, "a link in the state directory";
    /// The server that has the bundles does not answer, or not now.
    STORE_UNREACHABLE = 423, "the bundle store cannot be reached";
    /// The server that has the bundles refuses, or what is configured does not fit.
    STORE_REFUSED = 424, "the bundle store refuses access";
    /// The catalog is locked by others for longer than its patience.
    CATALOG_BUSY = 501, "the catalog is busy";
    /// The catalog file is damaged; it was set aside.
    CATALOG_CORRUPT = 502, "the catalog was damaged";
    /// The catalog was written by a newer version.
    CATALOG_NEWER = 503, "the catalog belongs to a newer version";
    /// A row of the catalog cannot be understood.
    CATALOG_ROW = 504, "a catalog row cannot be read";
    /// The catalog failed otherwise.
    CATALOG_FAILED = 505, "the catalog failed";
    /// The server of a database does not answer.
    DATABASE_UNREACHABLE = 506, "the database cannot be reached";
    /// The tables of a database are missing or of an earlier version, and this role may not make them.
    DATABASE_UNPREPARED = 507, "the database is not prepared";
    /// What was asked for can be done with a catalog that is a file, and this one is on a server.
    CATALOG_ON_SERVER = 508, "the catalog is on a server";
    /// Nodes that share a catalog have different sources.
    CHECKOUTS_DIFFER = 509, "nodes have different checkouts";
    /// No repository here.
    NO_REPOSITORY = 601, "no repository here";
    /// A YAML or JSON file cannot be parsed.
    MALFORMED_DOCUMENT = 602, "a document cannot be parsed";
    /// A document has the wrong form.
    INVALID_DOCUMENT = 603, "a document has the wrong form";
    /// A setting that does not exist.
    UNKNOWN_SETTING = 604, "an unknown setting";
    /// Inputs that break their schema.
    INVALID_INPUT = 605, "inputs break their schema";
    /// An expression that cannot be evaluated.
    INVALID_EXPRESSION = 606, "an expression cannot be evaluated";
    /// Jobs or steps that wait for each other.
    WORKFLOW_CYCLE = 607, "jobs or steps wait for each other";
    /// A method ended with an error.
    METHOD_FAILED = 701, "a method failed";
    /// A run ended because a type it needs is not ready.
    RUN_BLOCKED = 702, "a run is blocked by a type";
    /// The name or the tags of an item of data are longer than they may be.
    DATA_NAME_TOO_LONG = 703, "the name or tags of data are too long";
    /// A check before a method objected, or could not run.
    CHECK_FAILED = 704, "a check did not pass";
    /// A report could not be made.
    REPORT_FAILED = 705, "a report could not be made";
    /// The process of a run ended before the run did.
    RUN_INTERRUPTED = 710, "the process of a run ended before the run";
    /// A run was stopped from outside.
    RUN_CANCELLED = 711, "a run was cancelled";
    /// The task of a run panicked.
    RUN_PANICKED = 712, "a fault in Mangrove itself ended a run";
    /// Another process has a run that this one wanted to begin or to go on with.
    RUN_TAKEN_OVER = 713, "another process has taken a run over";
    /// A vault has no such key.
    SECRET_MISSING = 720, "a vault has no such secret";
    /// A vault cannot be used: its configuration, its key, its type, or whatever is behind it.
    VAULT_UNUSABLE = 721, "a vault cannot be used";
    /// What a step asserts does not hold.
    ASSERTION_FAILED = 730, "what a step asserts does not hold";
    /// Somebody rejected a step that had to be approved.
    STEP_REJECTED = 731, "somebody rejected a step";
    /// A run is in no state to be approved, rejected or resumed.
    RUN_STATE = 732, "a run cannot go on like this";
    /// A driver could not be used, or gave what nobody understands.
    DRIVER_FAILED = 740, "a driver cannot be used";
    /// Arguments hold a secret that the driver may not be told.
    DRIVER_SECRET = 741, "a secret that a driver may not be told";
    /// The address of the daemon is taken, or not ours.
    CANNOT_LISTEN = 801, "the daemon cannot listen on its address";
    /// No answer of a daemon that is asked over HTTP.
    SERVER_UNREACHABLE = 802, "the daemon cannot be reached";
}

impl Code {
    /// The number without its letters.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The code that `text` spells, such as `MG0101`, in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Code> {
        let digits = text.trim().to_ascii_uppercase();
        let number = digits.strip_prefix("MG")?.parse().ok()?;
        Code::ALL.iter().copied().find(|code| code.0 == number)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "MG{:04}", self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}
