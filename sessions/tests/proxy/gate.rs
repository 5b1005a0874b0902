//! A proxy between the replicas and Redis that stops at a logout.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use redis::Script;
use testing::redis::Redis;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Notify,
};

const END: &str = include_str!("../../examples/replicas/scripts/end.lua");

/// Where it stops.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Redis never hears of the logout.
    Before,
    /// Redis ends the session, but the replica never hears of it.
    After,
}

/// Passes everything on until the first logout; from there on, that connection hangs.
pub struct Gate {
    /// For `REDIS_URL`.
    pub url: String,
    /// Notified when it has stopped.
    pub reached: Arc<Notify>,
}

/// One connection.
#[derive(Clone)]
struct Passage {
    stop: Stop,
    /// The hash by which the replicas call the script that ends a session.
    end: Arc<str>,
    /// Whether a logout has come by, on any connection.
    logged_out: Arc<AtomicBool>,
    reached: Arc<Notify>,
}

impl Gate {
    pub async fn start(redis: &Redis, stop: Stop) -> Self {
        let client = redis::Client::open(redis.url()).unwrap();
        // Loaded in advance, so that a replica calls it only once, by its hash.
        let end = Script::new(END).load(&mut client.get_connection().unwrap());
        let passage = Passage {
            stop,
            end: end.unwrap().into(),
            logged_out: Arc::default(),
            reached: Arc::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let reached = Arc::clone(&passage.reached);
        let redis = ("127.0.0.1", redis.port);
        tokio::spawn(async move {
            while let Ok((replica, _)) = listener.accept().await {
                let (from_replica, to_replica) = replica.into_split();
                let redis = TcpStream::connect(redis).await.unwrap();
                let (from_redis, to_redis) = redis.into_split();
                let stopped = Arc::default();
                let requests = passage.clone();
                tokio::spawn(requests.requests(from_replica, to_redis, Arc::clone(&stopped)));
                tokio::spawn(passage.clone().replies(from_redis, to_replica, stopped));
            }
        });
        Self { url, reached }
    }
}

impl Passage {
    async fn requests(
        self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        stopped: Arc<AtomicBool>,
    ) {
        let mut request = vec![0; 65_536];
        while let Ok(length @ 1..) = from.read(&mut request).await {
            let request = &request[..length];
            let is_logout = String::from_utf8_lossy(request).contains(&*self.end);
            if is_logout && !self.logged_out.swap(true, Ordering::Relaxed) {
                stopped.store(true, Ordering::Relaxed);
                if self.stop == Stop::Before {
                    self.reached.notify_one();
                    std::future::pending::<()>().await;
                }
            }
            let _ = to.write_all(request).await;
        }
    }

    async fn replies(
        self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        stopped: Arc<AtomicBool>,
    ) {
        let mut reply = vec![0; 65_536];
        while let Ok(length @ 1..) = from.read(&mut reply).await {
            if stopped.load(Ordering::Relaxed) {
                self.reached.notify_one();
                std::future::pending::<()>().await;
            }
            let _ = to.write_all(&reply[..length]).await;
        }
    }
}
