//! Flows as sequence diagrams: `GET /flow` shows the most recent ones, on a server that only this
//! machine can reach.
//!
//! One call, [`Flow::step`], writes the line of the log and the messages of the diagram, so the two
//! cannot disagree. The messages never reach the log, and no secret reaches the diagram: a code or a
//! token appears as a few characters of a keyed hash, which shows where the same value recurs;
//! anything that is not known to be harmless does not appear at all.
#![cfg_attr(
    not(feature = "flow"),
    expect(dead_code, reason = "only the page reads what is recorded")
)]

use std::{
    collections::VecDeque,
    fmt::{self, Display},
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{Result, settings::Settings, unix_now};

mod messages;
#[cfg(feature = "flow")]
mod page;

use messages::Message;
pub use messages::{Column, Messages};

/// How many flows are kept.
const MAX_FLOWS: usize = 20;
/// How many steps of one flow are kept: anyone can come back with the same state again and again.
const MAX_STEPS: usize = 12;

/// The flows of a server. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Flows(Option<Arc<Recorder>>);

/// What a flow is called, and whose messages its columns show.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub title: &'static str,
    pub columns: [&'static str; 3],
}

/// Where a step is described, and which function performs it.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    pub rfc: &'static str,
    pub code: &'static str,
}

impl Flows {
    /// Records if only this machine can reach the server; otherwise steps are only logged.
    pub fn new(settings: &Settings) -> Self {
        let records = cfg!(feature = "flow") && settings.is_loopback();
        Self(records.then(Arc::default))
    }

    /// Whether there is a page to link to.
    pub fn are_shown(&self) -> bool {
        self.0.is_some()
    }

    /// The flow that this value, such as a state, belongs to. A new flow begins with its first
    /// step.
    pub fn flow(&self, kind: Kind, value: &str) -> Flow {
        let recorder = self.0.clone();
        Flow(recorder.map(|recorder| Recording {
            key: recorder.hasher.hash_one((kind.title, value)),
            recorder,
            kind,
        }))
    }
}

/// One flow, to add steps to.
#[derive(Clone, Debug)]
pub struct Flow(Option<Recording>);

#[derive(Clone, Debug)]
struct Recording {
    recorder: Arc<Recorder>,
    kind: Kind,
    key: u64,
}

impl Flow {
    /// Logs a line, and draws the messages that belong to it.
    pub fn step(&self, line: impl Display, source: Source, draw: impl FnOnce(&mut Messages<'_>)) {
        tracing::info!("{line}");
        self.record(line, false, source, draw);
    }

    /// Draws the messages at which the flow stopped, and why. The error is logged where it becomes a
    /// response.
    pub fn stop(&self, why: impl Display, source: Source, draw: impl FnOnce(&mut Messages<'_>)) {
        self.record(why, true, source, draw);
    }

    /// [`Flow::step`] for an `Ok`, and [`Flow::stop`] for an `Err`.
    pub fn outcome<T>(
        &self,
        result: &Result<T>,
        line: impl Display,
        source: Source,
        draw: impl FnOnce(&mut Messages<'_>),
    ) {
        match result {
            Ok(_) => self.step(line, source, draw),
            Err(error) => self.stop(error, source, draw),
        }
    }

    /// From now on this value, such as a token, leads to the flow too.
    pub fn continues_with(&self, value: &str) {
        if let Some(Recording { recorder, kind, .. }) = &self.0 {
            let key = recorder.hasher.hash_one((kind.title, value));
            self.update(|flow| flow.keys.push(key));
        }
    }

    fn record(
        &self,
        line: impl Display,
        stopped: bool,
        source: Source,
        draw: impl FnOnce(&mut Messages<'_>),
    ) {
        let Some(Recording { recorder, .. }) = &self.0 else {
            return;
        };
        let mut messages = Messages::new(&recorder.hasher);
        draw(&mut messages);
        let step = Step {
            line: line.to_string(),
            stopped,
            source,
            messages: messages.into_list(),
        };
        self.update(|flow| flow.steps.push(step));
    }

    fn update(&self, change: impl FnOnce(&mut Recorded)) {
        let Some(Recording {
            recorder,
            kind,
            key,
        }) = &self.0
        else {
            return;
        };
        let mut oldest = None;
        let mut flows = recorder.flows();
        let known = flows.iter().rposition(|flow| flow.keys.contains(key));
        let index = known.unwrap_or_else(|| {
            if flows.len() == MAX_FLOWS {
                oldest = flows.pop_front();
            }
            flows.push_back(Recorded::new(*kind, *key));
            flows.len() - 1
        });
        let flow = &mut flows[index];
        if flow.steps.len() < MAX_STEPS && flow.keys.len() < MAX_STEPS {
            change(flow);
        }
        drop(flows); // nobody waits while the oldest is freed
        drop(oldest);
    }
}

#[derive(Default)]
struct Recorder {
    /// Keyed with random bits of this process: a hash means nothing to anyone else.
    hasher: RandomState,
    flows: Mutex<VecDeque<Recorded>>,
}

impl Recorder {
    fn flows(&self) -> MutexGuard<'_, VecDeque<Recorded>> {
        self.flows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recorder({} flows)", self.flows().len())
    }
}

#[derive(Clone)]
struct Recorded {
    kind: Kind,
    /// Hashes of the values that lead here.
    keys: Vec<u64>,
    /// In Unix seconds.
    started: u64,
    steps: Vec<Step>,
}

impl Recorded {
    fn new(kind: Kind, key: u64) -> Self {
        Self {
            kind,
            keys: vec![key],
            started: unix_now(),
            steps: Vec::new(),
        }
    }
}

#[derive(Clone)]
struct Step {
    line: String,
    stopped: bool,
    source: Source,
    messages: Vec<Message>,
}

#[cfg(feature = "flow")]
pub use page::routes;

/// Without the feature `flow` there is no page.
#[cfg(not(feature = "flow"))]
pub fn routes<S: Clone + Send + Sync + 'static>() -> axum::Router<S> {
    axum::Router::new()
}

#[cfg(all(test, feature = "flow"))]
mod tests {
    use crate::settings::Home;

    use super::{
        messages::{MAX_VALUE, Shown},
        *,
    };

    const LOGIN: Kind = Kind {
        title: "login",
        columns: ["Browser", "Server", "Provider"],
    };
    const SOURCE: Source = Source {
        rfc: "RFC 6749",
        code: "here",
    };

    fn recording() -> Flows {
        Flows(Some(Arc::default()))
    }

    fn recorded(flows: &Flows) -> VecDeque<Recorded> {
        flows.0.as_ref().expect("it records").flows().clone()
    }

    #[test]
    fn the_same_secret_has_the_same_hash_and_is_not_shown() {
        let flows = recording();
        let callback = [
            ("code", "s3cret"),
            ("password", "hunter2"),
            ("scope", "a b"),
        ];
        for _ in 0..2 {
            flows.flow(LOGIN, "state").step("2/4", SOURCE, |draw| {
                draw.message((Column::First, Column::Second), "GET /auth", callback);
            });
        }
        let flow = &recorded(&flows)[0];
        let parameters = |step: &Step| step.messages[0].parameters.clone();
        assert_eq!(parameters(&flow.steps[0]), parameters(&flow.steps[1]));
        let [(_, Shown::Hash(hash)), (_, scope)] = &parameters(&flow.steps[0])[..] else {
            panic!("a hash and a scope, and no password");
        };
        assert!(hash.len() == 8 && !"s3cret".contains(&**hash));
        assert_eq!(*scope, Shown::AsIs("a b".into()));
    }

    #[test]
    fn a_flow_goes_on_under_each_value_that_leads_to_it() {
        let flows = recording();
        let flow = flows.flow(LOGIN, "state");
        flow.step("3/4", SOURCE, |_| {});
        flow.continues_with("token");
        flows.flow(LOGIN, "token").step("4/4", SOURCE, |_| {});
        flows.flow(LOGIN, "another").step("1/4", SOURCE, |_| {});
        let lines = |flow: &Recorded| flow.steps.iter().map(|s| s.line.clone()).collect();
        let lines: Vec<Vec<String>> = recorded(&flows).iter().map(lines).collect();
        assert_eq!(lines, [vec!["3/4", "4/4"], vec!["1/4"]]);
    }

    #[test]
    fn what_is_kept_is_bounded_whatever_anyone_sends() {
        let flows = recording();
        let long = "x".repeat(100_000);
        for n in 0..10_000 {
            let flow = flows.flow(LOGIN, &(n % 100).to_string());
            flow.stop("why", SOURCE, |draw| {
                draw.message(
                    (Column::First, Column::Second),
                    "GET /auth",
                    [("error", &long)],
                );
            });
            flow.continues_with(&n.to_string());
        }
        let flows = recorded(&flows);
        assert_eq!(flows.len(), MAX_FLOWS);
        for flow in &flows {
            assert!(flow.steps.len() <= MAX_STEPS && flow.keys.len() <= MAX_STEPS);
            let (_, value) = &flow.steps[0].messages[0].parameters[0];
            assert_eq!(*value, Shown::AsIs("x".repeat(MAX_VALUE)));
        }
    }

    #[test]
    fn nothing_is_kept_where_others_can_reach_the_server() {
        let mut settings = Settings::from_vars([("PUBLIC_URL", "https://app.example.com")]);
        settings.resolve_public_url(None, &Home::DEFAULT);
        assert!(Flows::new(&settings).0.is_none());
        assert!(Flows::new(&Settings::from_vars([])).0.is_some());
    }
}
