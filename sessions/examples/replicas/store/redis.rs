//! Redis or Valkey, for any number of processes.
//!
//! A session is one hash; each user also has a sorted set with the keys of their sessions. Each
//! step is one script, so it is atomic, and Redis's clock is the only one that counts.

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use common::{Error, Result, settings::Settings};
use redis::{
    Client, ConnectionAddr, FromRedisValue, IntoConnectionInfo, RedisError, RedisResult, Script,
    ScriptInvocation,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::time::timeout;

use super::{super::session::LIFETIME, Claim, Listed, MAX_SESSIONS, SENT, Stored, UNSENT};

/// How long one step may take. The first one that fails ends the request: with 503, within 3 s.
const TIME_LIMIT: Duration = Duration::from_millis(900);
/// How long connecting, or a response, may take: less than a step, so that the connection is
/// dropped first and the next step gets a new one.
const CONNECTION_LIMIT: Duration = Duration::from_millis(700);

/// One connection for all requests, which reconnects by itself.
#[derive(Clone)]
pub struct Redis {
    connection: ConnectionManager,
    scripts: Arc<Scripts>,
}

struct Scripts {
    begin: Script,
    load: Script,
    end: Script,
    end_all: Script,
    sessions: Script,
    claim: Script,
    will_send: Script,
    finish: Script,
    release: Script,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}

impl Redis {
    /// The Redis of `REDIS_URL`, which need not be up yet. Call this after creating an HTTP client,
    /// which chooses the cryptography for TLS.
    pub async fn from_settings(settings: &mut Settings) -> Option<Self> {
        if settings.get("SESSION_SECRET").is_none() {
            let what = "is missing; all processes that share a Redis must share it";
            settings.problem("SESSION_SECRET", what);
        }
        let url = settings.secret("REDIS_URL")?;
        let Ok(redis) = client(&url).and_then(Self::new) else {
            let what = "is not redis:// or rediss:// and a host, such as \
                        redis://:password@127.0.0.1:6379";
            settings.problem("REDIS_URL", what);
            return None;
        };
        if url.starts_with("redis://") && !is_this_machine(&url) {
            let what = "REDIS_URL does not use TLS: anyone on the network can read its password; \
                        use rediss://";
            settings.warning(what);
        }
        if let Err(Error::Database(why)) = redis.check().await {
            let what = format!("Redis cannot be reached yet: {why}; until then the answer is 503");
            settings.warning(what);
        }
        Some(redis)
    }

    fn new(client: Client) -> RedisResult<Self> {
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(CONNECTION_LIMIT))
            .set_response_timeout(Some(CONNECTION_LIMIT));
        Ok(Self {
            connection: ConnectionManager::new_lazy_with_config(client, config)?,
            scripts: Arc::new(Scripts::new()),
        })
    }

    /// Writes something: a full Redis or a read-only replica is of no use.
    pub async fn check(&self) -> Result<()> {
        let mut command = redis::cmd("SET");
        let command = &*command.arg(&["replicas:ready", "1", "PX", "1"]);
        self.step(|mut connection| async move { command.exec_async(&mut connection).await })
            .await
    }

    pub async fn begin(
        &self,
        key: &str,
        user: &str,
        stored: &Stored,
        valid_for: Option<u64>,
    ) -> Result<()> {
        let mut script = self.scripts.begin.key(key);
        script.key(user).arg(&stored.login).arg(&stored.token);
        script.arg(seconds(valid_for)).arg(LIFETIME.as_secs());
        self.run(script.arg(MAX_SESSIONS)).await
    }

    pub async fn load(&self, key: &str) -> Result<Option<Stored>> {
        let stored: Option<(Vec<u8>, Vec<u8>, bool)> =
            self.run(&self.scripts.load.key(key)).await?;
        Ok(stored.map(|(login, token, token_has_expired)| Stored {
            login,
            token,
            token_has_expired,
        }))
    }

    pub async fn end(&self, key: &str, user: &str) -> Result<Option<Vec<u8>>> {
        self.run(self.scripts.end.key(key).key(user)).await
    }

    pub async fn end_all(&self, user: &str) -> Result<Vec<(String, Vec<u8>)>> {
        self.run(&self.scripts.end_all.key(user)).await
    }

    pub async fn sessions(&self, user: &str) -> Result<Vec<Listed>> {
        let listed: Vec<(String, Vec<u8>, u64)> =
            self.run(&self.scripts.sessions.key(user)).await?;
        let listed = listed.into_iter();
        Ok(listed
            .map(|(key, login, seen)| Listed { key, login, seen })
            .collect())
    }

    pub async fn claim(&self, key: &str, user: &str, attempt: &str, token: &[u8]) -> Result<Claim> {
        let mut script = self.scripts.claim.key(key);
        script.key(user).arg(attempt).arg(token);
        let claim: String = self.run(script.arg(UNSENT).arg(SENT)).await?;
        Ok(match claim.as_str() {
            "yours" => Claim::Yours,
            "wait" => Claim::Wait,
            "changed" => Claim::Changed,
            _ => Claim::Gone,
        })
    }

    pub async fn will_send(&self, key: &str, attempt: &str) -> Result<bool> {
        self.run(self.scripts.will_send.key(key).arg(attempt)).await
    }

    pub async fn finish(
        &self,
        key: &str,
        attempt: &str,
        token: &[u8],
        valid_for: Option<u64>,
    ) -> Result<bool> {
        let mut script = self.scripts.finish.key(key);
        self.run(script.arg(attempt).arg(token).arg(seconds(valid_for)))
            .await
    }

    pub async fn release(&self, key: &str, attempt: &str) -> Result<()> {
        self.run(self.scripts.release.key(key).arg(attempt)).await
    }

    async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T> {
        self.step(|mut connection| async move { script.invoke_async(&mut connection).await })
            .await
    }

    /// The result of a step, or 503 with `Retry-After`.
    ///
    /// A step that finds the connection broken is run once more, on a new connection: a script that
    /// runs twice leaves the same state. If the first run had ended a session and only its response
    /// was lost, the second finds no token to revoke at the provider.
    async fn step<T, F>(&self, step: impl Fn(ConnectionManager) -> F) -> Result<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let twice = async {
            match step(self.connection.clone()).await {
                Err(error) if error.is_io_error() && !error.is_timeout() => {
                    step(self.connection.clone()).await
                }
                result => result,
            }
        };
        let failed = |error: RedisError| Error::Database(format!("Redis: {error}"));
        match timeout(TIME_LIMIT, twice).await {
            Ok(result) => result.map_err(failed),
            Err(_) => Err(Error::Database("Redis: no response in time".into())),
        }
    }
}

impl Scripts {
    fn new() -> Self {
        Self {
            begin: Script::new(include_str!("../scripts/begin.lua")),
            load: Script::new(include_str!("../scripts/load.lua")),
            end: Script::new(include_str!("../scripts/end.lua")),
            end_all: Script::new(include_str!("../scripts/end_all.lua")),
            sessions: Script::new(include_str!("../scripts/sessions.lua")),
            claim: Script::new(include_str!("../scripts/claim.lua")),
            will_send: Script::new(include_str!("../scripts/will_send.lua")),
            finish: Script::new(include_str!("../scripts/finish.lua")),
            release: Script::new(include_str!("../scripts/release.lua")),
        }
    }
}

/// Rejects a fragment, which could be `#insecure` and turn off certificate checks.
fn client(url: &str) -> RedisResult<Client> {
    let wrong = || {
        RedisError::from((
            redis::ErrorKind::InvalidClientConfig,
            "not the URL of a Redis server",
        ))
    };
    let has_scheme = url.starts_with("redis://") || url.starts_with("rediss://");
    if !has_scheme || url.contains('#') {
        return Err(wrong());
    }
    Client::open(url)
}

fn is_this_machine(url: &str) -> bool {
    let Ok(info) = url.into_connection_info() else {
        return false;
    };
    match info.addr() {
        ConnectionAddr::Tcp(host, _) => {
            host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        }
        _ => false,
    }
}

/// For a script: an empty string when there is no end.
fn seconds(valid_for: Option<u64>) -> String {
    valid_for.map_or(String::new(), |seconds| seconds.to_string())
}
