//! Errors: whose fault, whether trying again helps, and where it happened.
//!
//! Each has a [`Code`]; `host/errors.md` has a section for each code, with the cause and what to do,
//! which `tailwater explain CODE` prints.

use std::fmt;

/// Whose fault it is: who has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Configuration,
    Plugin,
    Model,
    Data,
    Broker,
    /// Whatever keeps outputs beside Kafka.
    Store,
    /// Tailwater itself.
    Host,
}

impl Fault {
    pub fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Plugin => "plugin",
            Self::Model => "model",
            Self::Data => "data",
            Self::Broker => "broker",
            Self::Store => "store",
            Self::Host => "host",
        }
    }
}

macro_rules! codes {
    ($($name:ident = $number:literal, $fault:ident, $retry:literal, $title:literal;)*) => {
        /// What went wrong. The number is stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $(#[doc = $title] $name = $number,)* }

        impl Code {
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            pub fn fault(self) -> Fault {
                match self { $(Self::$name => Fault::$fault,)* }
            }

            /// Whether the same thing may succeed when tried again unchanged.
            pub fn retry(self) -> bool {
                match self { $(Self::$name => $retry,)* }
            }

            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    ConfigUnreadable = 101, Configuration, false, "a file of the configuration can't be read";
    ConfigSyntax = 102, Configuration, false, "the pipeline file is not valid";
    ConfigValue = 103, Configuration, false, "a value in the pipeline file is not allowed";
    NotYet = 104, Configuration, false, "not supported by this version";
    Mismatch = 105, Configuration, false, "two stages do not fit together";
    PluginUnreadable = 201, Plugin, false, "a plugin can't be read";
    PluginInvalid = 202, Plugin, false, "a file is no WebAssembly component";
    PluginWorld = 203, Plugin, false, "a plugin does not export what its stage needs";
    PluginImport = 204, Plugin, false, "a plugin imports what is not granted";
    PluginDescribe = 205, Plugin, false, "a plugin refuses its settings, or describes what can't be";
    PluginTrap = 206, Plugin, false, "a plugin trapped";
    PluginTime = 207, Plugin, false, "a plugin took too long";
    PluginMemory = 208, Plugin, false, "a plugin wanted too much memory";
    PluginOutput = 209, Plugin, false, "a plugin gave what it must not";
    PluginFailing = 210, Plugin, false, "a plugin fails too often";
    ModelUnreadable = 301, Model, false, "a model can't be read";
    ModelRuntime = 302, Configuration, false, "ONNX Runtime can't be loaded";
    ModelInputs = 303, Model, false, "a model's inputs are not what the pipeline has";
    ModelOutputs = 304, Model, false, "a model's outputs are not what the pipeline wants";
    ModelRun = 305, Model, false, "a model failed";
    ModelScore = 306, Model, false, "a model gave no finite score";
    ModelGraph = 307, Model, false, "a model's graph is not sound";
    Undecodable = 401, Data, false, "a record can't be decoded";
    Missing = 402, Data, false, "a record lacks a value";
    WrongType = 403, Data, false, "a value is of another type";
    TooLarge = 404, Data, false, "a record is too large";
    Rejected = 405, Data, false, "a plugin refused a row";
    NoKey = 406, Data, false, "a row has no key or no event time";
    Tombstone = 407, Data, false, "a record has no value";
    Late = 408, Data, false, "a record came too late";
    FarAhead = 409, Data, false, "an event time is too far ahead";
    Misplaced = 410, Data, false, "one key comes with different record keys";
    OtherRelease = 411, Configuration, false, "a row in flight was begun by another release";
    KeyFull = 412, Data, false, "the windows of a key are full";
    BrokerUnreachable = 501, Broker, true, "the broker can't be reached";
    TopicMissing = 502, Configuration, false, "a topic does not exist";
    Delivery = 503, Broker, true, "the broker did not take a record";
    Commit = 504, Broker, true, "offsets can't be committed";
    Consuming = 505, Broker, true, "records can't be read";
    OffsetLost = 506, Broker, false, "the broker has no longer the offset to go on from";
    TopicLimit = 507, Configuration, false, "a topic takes no message of this size";
    Denied = 508, Configuration, false, "the cluster does not let this client do what it must";
    Partitions = 510, Configuration, false, "topics do not have the partitions they need";
    TopicRefused = 511, Configuration, false, "an internal topic can't be made";
    Untrusted = 512, Configuration, false, "a broker's certificate is not of an authority that is trusted";
    Expired = 513, Broker, false, "a broker's certificate is not valid at this time";
    OtherHost = 514, Configuration, false, "a broker's certificate is for another host";
    NotTls = 515, Configuration, false, "one side speaks TLS, the other does not";
    OwnCertificate = 516, Configuration, false, "the brokers do not take this client's certificate";
    Credentials = 517, Configuration, false, "the brokers do not take this user and password";
    Login = 518, Configuration, false, "the brokers want clients to log in in another way";
    TlsFile = 519, Configuration, false, "a certificate or key can't be used";
    Stuck = 509, Broker, true, "a run did not end in time";
    StateDisk = 601, Host, true, "the state directory can't be used";
    StateLocked = 602, Configuration, false, "the state directory is in use";
    StateDamaged = 603, Host, true, "the state on disk is damaged";
    StateOther = 604, Configuration, false, "the kept state is of other windows";
    ChangelogDamaged = 605, Data, false, "a changelog topic holds something else";
    StateBehind = 606, Broker, false, "the kept state and the group's offsets disagree";
    Repartitioned = 607, Configuration, false, "a topic's number of partitions has changed";
    Fenced = 608, Broker, true, "another process took this one's place";
    Running = 609, Configuration, false, "the pipeline is still running";
    ReleaseUnreadable = 701, Data, false, "a release can't be read";
    Unsigned = 702, Configuration, false, "an artifact is not signed as it must be";
    ReleaseFailed = 703, Configuration, false, "a release was tried, and failed";
    NoSuccession = 704, Configuration, false, "what changed can't be swapped while the pipeline runs";
    ArtifactMissing = 705, Data, false, "a file of a release is not there";
    NoRelease = 706, Configuration, false, "there is no such release";
    Unanswered = 707, Configuration, true, "no host answers a proposal";
    Unchanged = 708, Configuration, false, "what is proposed runs already";
    Bootstrapping = 709, Configuration, false, "another generation of the pipeline is on its way";
    AdminOpen = 801, Configuration, false, "the admin API would be open to everybody";
    AdminListen = 802, Configuration, false, "the admin API can't listen there";
    AdminToken = 803, Configuration, false, "the admin API's tokens can't be used";
    Unauthorized = 804, Configuration, false, "a request has no token that counts";
    WebPage = 805, Configuration, false, "a request comes by way of a web page";
    Request = 806, Configuration, false, "a request asks for what there is not";
    RequestBody = 807, Configuration, false, "the body of a request is not taken";
    Busy = 808, Host, true, "the host can't answer now";
    StoreUnreachable = 1001, Store, true, "a store can't be reached";
    StoreDenied = 1002, Configuration, false, "a store does not let this client in";
    StoreTable = 1003, Configuration, false, "a store's table is not as it has to be";
    StoreRefused = 1004, Store, false, "a database refuses rows";
    StoreValue = 1005, Data, false, "a store can't hold a value";
    StoreForeign = 1006, Data, false, "a record is no output of the pipeline";
    StoreFiles = 1007, Store, true, "a store's files can't be written";
    Collector = 1101, Configuration, false, "telemetry can't be sent as is said";
    Internal = 901, Host, false, "a mistake in Tailwater";
}

impl Code {
    /// From `TW206` or `206`.
    pub fn parse(text: &str) -> Option<Self> {
        let number = text.trim().trim_start_matches(['T', 't', 'W', 'w']).parse::<u16>().ok()?;
        Self::ALL.iter().copied().find(|code| *code as u16 == number)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TW{}", *self as u16)
    }
}

/// An error that ends a run, or the loading of something.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub code: Code,
    /// Where, what, and what to do if that is not obvious.
    pub message: String,
}

impl Error {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// Says where it happened: `place: message`.
    pub fn at(self, place: impl fmt::Display) -> Self {
        Self { message: format!("{place}: {}", self.message), ..self }
    }

    /// For a terminal: code, whose fault, message, where to read on.
    pub fn report(&self) -> String {
        let Self { code, message } = self;
        let retry = if code.retry() { " (trying again may help)" } else { "" };
        format!(
            "error {code}, {}: {}{retry}\n  {}\n  More: tailwater explain {code}",
            code.fault().name(),
            code.title(),
            message.replace('\n', "\n  ")
        )
    }
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why one record or row becomes a dead letter, while the others go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: Code,
    /// The plugin's own number, where the plugin refused the row.
    pub plugin_code: Option<u16>,
    pub message: String,
}

impl Refusal {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, plugin_code: None, message: message.into() }
    }
}
