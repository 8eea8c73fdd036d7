//! The server as a process: started on a free port, ended by its id.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::http::Client;

/// Whether this runs in CI, where nothing is skipped.
pub(crate) fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|ci| ci == "true")
}

/// How a server is started.
pub(crate) struct Launch {
    dev: bool,
    arguments: Vec<OsString>,
    wrapper: Vec<OsString>,
}

impl Launch {
    /// No key needed, and the demo store.
    pub(crate) fn dev() -> Self {
        Self { dev: true, arguments: Vec::new(), wrapper: Vec::new() }
    }

    /// As an operator starts it: keys needed.
    pub(crate) fn normal() -> Self {
        Self { dev: false, ..Self::dev() }
    }

    /// A flag of `authx serve`.
    pub(crate) fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// A program that runs the server as its own process id, such as `strace -D`.
    pub(crate) fn under(mut self, wrapper: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.wrapper = wrapper.into_iter().map(Into::into).collect();
        self
    }

    /// Starts on a new data directory that goes away with the server.
    pub(crate) fn start(self) -> Server {
        let dir = tempfile::tempdir().unwrap();
        let mut server = self.start_in(dir.path());
        server.own_dir = Some(dir);
        server
    }

    /// Starts on a data directory that stays.
    pub(crate) fn start_in(self, data_dir: &Path) -> Server {
        let begun = Instant::now();
        let mut line: Vec<OsString> = self.wrapper;
        line.extend([env!("CARGO_BIN_EXE_authx").into(), "serve".into(), "--bind".into(), "127.0.0.1:0".into()]);
        line.extend(["--data-dir".into(), data_dir.into()]);
        if self.dev {
            line.push("--dev".into());
        }
        line.extend(self.arguments);
        let mut process = Command::new(&line[0])
            .args(&line[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let address = watch(&mut process, &log);
        let Some(address) = address else {
            let _ = process.kill();
            panic!("the server did not start: {}", log.lock().unwrap());
        };
        let mut server =
            Server { process, address, data_dir: data_dir.to_owned(), own_dir: None, log, ready_in: Duration::ZERO };
        while server.anyone().try_send("GET", "/readyz", &[], b"").is_none_or(|reply| reply.status != 200) {
            assert!(begun.elapsed() < Duration::from_secs(30), "the server is not ready: {}", server.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        server.ready_in = begun.elapsed();
        server
    }
}

/// Keeps what the server tells and waits for its address.
fn watch(process: &mut Child, log: &Arc<Mutex<String>>) -> Option<SocketAddr> {
    let lines = BufReader::new(process.stderr.take()?);
    let (tell, told) = mpsc::channel();
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        for line in lines.lines().map_while(Result::ok) {
            log.lock().unwrap().push_str(&format!("{line}\n"));
            let address = line.split_once("http://").filter(|_| line.starts_with("ready in "));
            if let Some(address) = address.and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok()) {
                let _ = tell.send(address);
            }
        }
    });
    told.recv_timeout(Duration::from_secs(30)).ok()
}

/// A running server. It is killed when it goes out of scope.
pub(crate) struct Server {
    process: Child,
    address: SocketAddr,
    data_dir: PathBuf,
    own_dir: Option<TempDir>,
    log: Arc<Mutex<String>>,
    /// From the start of the process to the first good answer of /readyz.
    pub(crate) ready_in: Duration,
}

impl Server {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// What the server told on stderr so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// A client without a credential.
    pub(crate) fn anyone(&self) -> Client {
        Client::new(self.address, None)
    }

    /// A client with a key.
    pub(crate) fn with_key(&self, key: &str) -> Client {
        Client::new(self.address, Some(key))
    }

    /// What a first normal start wrote: `tenant`, `platform_key` and `admin_key`.
    pub(crate) fn keys(&self) -> Value {
        let text = std::fs::read_to_string(self.data_dir.join("keys.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// The first tenant's administrator.
    pub(crate) fn admin(&self) -> Client {
        self.with_key(self.keys()["admin_key"].as_str().unwrap())
    }

    /// The operator.
    pub(crate) fn platform(&self) -> Client {
        self.with_key(self.keys()["platform_key"].as_str().unwrap())
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    /// Bytes of memory that the process holds.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Ends the process as a crash would: nothing of it runs any more.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks the process to end, and waits for it.
    pub(crate) fn terminate(&mut self, deadline: Duration) -> Option<ExitStatus> {
        let told = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().unwrap();
        assert!(told.success());
        let begun = Instant::now();
        while begun.elapsed() < deadline {
            if let Some(status) = self.process.try_wait().unwrap() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
