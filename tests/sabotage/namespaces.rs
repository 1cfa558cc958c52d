//! Places with less in them: a control group with a CPU quota, a network of one's own with few ports.
//! Both are cleared away when dropped, so also when a test fails.

use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Skipped;

/// Makes the names of namespaces distinct.
static SERIAL: AtomicU32 = AtomicU32::new(0);

fn name() -> String {
    format!("lt-{}-{}", std::process::id(), SERIAL.fetch_add(1, Ordering::Relaxed))
}

/// A control group whose processes may use so many microseconds of CPU time in each 100 ms.
pub struct Quota(PathBuf);

impl Quota {
    /// Skipped where the kernel knows no CPU quota, or lets us set none.
    pub fn of_us(quota_us: u64) -> Result<Self, Skipped> {
        if let Some(mount) = mount_of("cgroup", Some("cpu")) {
            let files = [("cpu.cfs_period_us", "100000".into()), ("cpu.cfs_quota_us", quota_us.to_string())];
            return Self::make(&mount, &files);
        }
        let remedy = "mount a control group file system with the cpu controller, writable \
                      (in a container: --privileged, or run the tests on the host)";
        let skipped = |what: String| Skipped(format!("{what}: {remedy}"));
        let mount = mount_of("cgroup2", None).ok_or_else(|| skipped("no control groups".to_owned()))?;
        let controllers = fs::read_to_string(mount.join("cgroup.controllers")).unwrap_or_default();
        if !controllers.split_whitespace().any(|c| c == "cpu") {
            return Err(skipped(format!("no cpu controller in {mount:?}")));
        }
        fs::write(mount.join("cgroup.subtree_control"), "+cpu")
            .map_err(|e| skipped(format!("the cpu controller of {mount:?} cannot be handed on ({e})")))?;
        Self::make(&mount, &[("cpu.max", format!("{quota_us} 100000"))])
    }

    fn make(mount: &Path, files: &[(&str, String)]) -> Result<Self, Skipped> {
        let path = mount.join(name());
        fs::create_dir(&path).map_err(|e| {
            Skipped(format!("control groups are not writable ({e}); in a container: --privileged"))
        })?;
        let namespace = Self(path);
        for (file, value) in files {
            let file = namespace.0.join(file);
            if !file.exists() {
                return Err(Skipped("this kernel has no CPU quota (CONFIG_CFS_BANDWIDTH)".to_owned()));
            }
            fs::write(&file, value).unwrap_or_else(|e| panic!("{file:?} does not take {value}: {e}"));
        }
        Ok(namespace)
    }

    /// The command that goes into it and then becomes what follows.
    pub fn wrapper(&self) -> [&str; 5] {
        let procs = self.0.to_str().expect("it is made of digits and letters");
        ["sh", "-c", "echo $$ > \"$0/cgroup.procs\" && exec \"$@\"", procs, "env"]
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        // The last process may take a moment to be gone.
        for _ in 0..50 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        eprintln!("left behind: {}", self.0.display());
    }
}

/// Where a file system of this kind, with this option, is mounted.
fn mount_of(kind: &str, option: Option<&str>) -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("proc is mounted");
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (point, is, options) = (fields.next()?, fields.next()?, fields.next()?);
        let has = option.is_none_or(|o| options.split(',').any(|one| one == o));
        (is == kind && has).then(|| PathBuf::from(point))
    })
}

/// A network of one's own, with loopback only.
pub struct Network(String);

impl Network {
    /// Skipped where the kernel knows no network name spaces, or lets us make none.
    pub fn new() -> Result<Self, Skipped> {
        let network = Self(name());
        try_ip(&["netns", "add", &network.0]).map_err(|_| {
            Skipped("no network namespace can be made (run it as root; in a container: --privileged)".into())
        })?;
        ip(&["-n", &network.0, "link", "set", "lo", "up"]);
        network.set("tcp_tw_reuse", "0");
        Ok(network)
    }

    /// Set net.ipv4.`key`.
    pub fn set(&self, key: &str, value: &str) {
        let script = format!("echo '{value}' > /proc/sys/net/ipv4/{key}");
        ip(&["netns", "exec", &self.0, "sh", "-c", &script]);
    }

    /// The command that goes into it and then becomes what follows.
    pub fn wrapper(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.0]
    }

    /// What takes a thread into it.
    pub fn entrance(&self) -> impl FnOnce() + Send + use<> {
        let path = format!("/run/netns/{}", self.0);
        move || {
            let namespace = fs::File::open(&path).expect("ip netns add has made it");
            let kind = Some(rustix::thread::LinkNameSpaceType::Network);
            rustix::thread::move_into_link_name_space(namespace.as_fd(), kind).expect("root may enter it");
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Not made, or to be gone: either way nothing is left.
        let _ = try_ip(&["netns", "del", &self.0]);
    }
}

fn ip(args: &[&str]) {
    try_ip(args).unwrap_or_else(|why| panic!("ip {} failed: {why}", args.join(" ")));
}

fn try_ip(args: &[&str]) -> Result<(), String> {
    let done = Command::new("ip").args(args).output().expect("iproute2 is there");
    if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned()) }
}
