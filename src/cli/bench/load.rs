//! Load at a fixed rate. A closed loop hides queues: it sends less while the server is slow. Here every request has its
//! time, and its latency counts from that time, whether or not a connection was free.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::Instant;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Host and port
    #[arg(long, default_value = "127.0.0.1:8181")]
    address: String,
    /// Path of a POST
    #[arg(long)]
    path: String,
    /// A file of bodies, one a line
    #[arg(long)]
    bodies: PathBuf,
    #[arg(long, env = "AUTHX_KEY", hide_env_values = true)]
    key: Option<String>,
    /// Requests a second
    #[arg(long)]
    rate: f64,
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    #[arg(long, default_value_t = 32)]
    connections: usize,
}

struct Plan {
    requests: Vec<Vec<u8>>,
    begin: Instant,
    gap: Duration,
    total: usize,
    next: AtomicUsize,
    /// One permit for each request that is due.
    released: Semaphore,
}

impl Plan {
    fn due(&self, number: usize) -> Instant {
        self.begin + self.gap.mul_f64(f64::from(u32::try_from(number).unwrap_or(u32::MAX)))
    }

    fn pace(&self) {
        for number in 0..self.total {
            let wait = self.due(number).saturating_duration_since(Instant::now());
            if !wait.is_zero() {
                std::thread::sleep(wait);
            }
            self.released.add_permits(1);
        }
    }
}

/// Latencies in microseconds and the number of answers that were not 200.
#[derive(Default)]
struct Seen {
    latencies: Vec<u64>,
    refused: usize,
}

pub(super) async fn run(args: Args) -> Result<String, String> {
    if !(args.rate > 0.0 && args.rate <= 1e6 && args.seconds > 0.0 && args.seconds <= 3_600.0) {
        return Err("the rate is up to 1,000,000 a second, the time up to 3,600 seconds".to_owned());
    }
    let text = std::fs::read_to_string(&args.bodies).map_err(|error| format!("{}: {error}", args.bodies.display()))?;
    let key = args.key.as_ref().map(|key| format!("Authorization: Bearer {key}\r\n")).unwrap_or_default();
    let request = |body: &str| {
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n{key}Content-Length: {}\r\n\r\n",
            args.path,
            args.address,
            body.len()
        );
        [head.as_bytes(), body.as_bytes()].concat()
    };
    let requests: Vec<Vec<u8>> = text.lines().map(request).collect();
    if requests.is_empty() {
        return Err("the file of bodies is empty".to_owned());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded above")]
    let total = (args.rate * args.seconds) as usize;
    let plan = Arc::new(Plan {
        requests,
        begin: Instant::now() + Duration::from_millis(50),
        gap: Duration::from_secs_f64(1.0 / args.rate),
        total,
        next: AtomicUsize::new(0),
        released: Semaphore::new(0),
    });
    // The runtime's timers have a resolution of a millisecond, a thread's sleep of some 50 microseconds.
    let pacer = Arc::clone(&plan);
    let pacing = std::thread::spawn(move || pacer.pace());
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..args.connections.clamp(1, 10_000) {
        let stream = TcpStream::connect(&args.address).await.map_err(|error| format!("{}: {error}", args.address))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        running.spawn(drive(stream, Arc::clone(&plan)));
    }
    let mut all = Seen::default();
    while let Some(done) = running.join_next().await {
        let seen = done.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        all.latencies.extend(seen.latencies);
        all.refused += seen.refused;
    }
    let _ = pacing.join();
    Ok(report(all, plan.begin.elapsed()))
}

async fn drive(mut stream: TcpStream, plan: Arc<Plan>) -> std::io::Result<Seen> {
    let mut seen = Seen::default();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let number = plan.next.fetch_add(1, Ordering::Relaxed);
        if number >= plan.total {
            return Ok(seen);
        }
        let due = plan.due(number);
        match plan.released.acquire().await {
            Ok(permit) => permit.forget(),
            Err(_) => return Ok(seen),
        }
        let Some(request) = plan.requests.get(number % plan.requests.len()) else { return Ok(seen) };
        stream.write_all(request).await?;
        let ok = answer(&mut stream, &mut buffer).await?;
        seen.refused += usize::from(!ok);
        seen.latencies.push(u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
}

/// Reads one answer with a length; tells whether it is 200.
async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> std::io::Result<bool> {
    let broken = || std::io::Error::from(std::io::ErrorKind::InvalidData);
    let mut filled = 0;
    loop {
        let read = stream.read(buffer.get_mut(filled..).ok_or_else(broken)?).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        let text = String::from_utf8_lossy(buffer.get(..filled).ok_or_else(broken)?).to_ascii_lowercase();
        let Some(end) = text.find("\r\n\r\n") else { continue };
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
        if filled >= end + 4 + length.unwrap_or(0) {
            return Ok(text.starts_with("http/1.1 200"));
        }
    }
}

fn report(mut seen: Seen, elapsed: Duration) -> String {
    seen.latencies.sort_unstable();
    let at = |part: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index"
        )]
        let index = ((seen.latencies.len() as f64 - 1.0).max(0.0) * part) as usize;
        #[expect(clippy::cast_precision_loss, reason = "microseconds")]
        let millis = seen.latencies.get(index).copied().unwrap_or_default() as f64 / 1_000.0;
        millis
    };
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = seen.latencies.len() as f64 / elapsed.as_secs_f64();
    format!(
        "{rate:.0} requests/s · p50 {:.3} ms · p99 {:.3} ms · max {:.3} ms · non-200 {}\n",
        at(0.5),
        at(0.99),
        at(1.0),
        seen.refused
    )
}
