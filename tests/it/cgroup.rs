//! Control groups, read from trees in a directory of their own that look like the kernel's.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use loadtester::sys::cgroup::{Groups, Throttle};

/// A root directory that is removed when the test ends.
struct Root(PathBuf);

impl Root {
    fn new(files: &[(&str, &str)]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("loadtester-cgroup-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let root = Self(std::env::temp_dir().join(name));
        for (path, text) in files {
            let path = root.0.join(path);
            fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("temp is writable");
            fs::write(path, text).expect("temp is writable");
        }
        root
    }

    fn groups(&self, controller: &str) -> Option<Groups> {
        Groups::find(Path::new(&self.0), controller)
    }

    fn quota(&self) -> Option<f64> {
        self.groups("cpu").expect("the controller is found").quota_cpus()
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        // Best effort: a left-over directory in temp harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

const V2_MOUNT: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

#[test]
fn version_2_takes_the_tightest_quota_on_the_path_to_the_root() {
    let root = Root::new(&[
        ("proc/self/cgroup", "0::/kube.slice/pod.slice/us\n"),
        ("proc/self/mountinfo", V2_MOUNT),
        ("sys/fs/cgroup/cgroup.controllers", "cpu memory\n"),
        ("sys/fs/cgroup/kube.slice/cpu.max", "800000 100000\n"),
        ("sys/fs/cgroup/kube.slice/pod.slice/cpu.max", "150000 100000\n"),
        ("sys/fs/cgroup/kube.slice/pod.slice/us/cpu.max", "max 100000\n"),
        ("sys/fs/cgroup/kube.slice/other/cpu.max", "1000 100000\n"),
    ]);
    assert_eq!(root.quota(), Some(1.5));
}

#[test]
fn throttling_is_summed_over_the_path() {
    let root = Root::new(&[
        ("proc/self/cgroup", "0::/outer/inner\n"),
        ("proc/self/mountinfo", V2_MOUNT),
        ("sys/fs/cgroup/cpu.stat", "usage_usec 5\n"),
        ("sys/fs/cgroup/outer/cpu.stat", "usage_usec 5\nnr_periods 9\nnr_throttled 2\nthrottled_usec 30\n"),
        ("sys/fs/cgroup/outer/inner/cpu.stat", "nr_throttled 1\nthrottled_usec 12\n"),
    ]);
    let throttle = root.groups("cpu").unwrap().throttle();
    assert_eq!(throttle, Throttle { ns: 42_000, periods: 3 });
}

#[test]
fn a_container_with_a_namespace_of_its_own_sees_its_group_as_the_root() {
    let root = Root::new(&[
        ("proc/self/cgroup", "0::/\n"),
        ("proc/self/mountinfo", V2_MOUNT),
        ("sys/fs/cgroup/cpu.max", "50000 100000\n"),
        ("sys/fs/cgroup/memory.max", "1000000\n"),
        ("sys/fs/cgroup/memory.current", "700000\n"),
        ("sys/fs/cgroup/memory.stat", "anon 1\nfile 500000\ninactive_file 400000\n"),
    ]);
    assert_eq!(root.quota(), Some(0.5));
    assert_eq!(root.groups("memory").unwrap().memory_left_bytes(), Some(700_000), "cache can be given up");
}

#[test]
fn version_1_in_a_container_without_a_namespace_is_found_below_the_mounts_root() {
    let mount = |controller: &str| {
        format!("40 30 0:30 /docker/abc /sys/fs/cgroup/{controller} ro - cgroup cgroup rw,{controller}\n")
    };
    let root = Root::new(&[
        (
            "proc/self/cgroup",
            "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc/job\n1:name=systemd:/docker/abc\n",
        ),
        ("proc/self/mountinfo", &(mount("cpu,cpuacct") + &mount("memory"))),
        ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "200000\n"),
        ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
        ("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "-1\n"),
        ("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n"),
        ("sys/fs/cgroup/cpu,cpuacct/job/cpu.stat", "nr_periods 4\nnr_throttled 3\nthrottled_time 77\n"),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ("sys/fs/cgroup/memory/memory.usage_in_bytes", "5\n"),
    ]);
    assert_eq!(root.quota(), Some(2.0));
    assert_eq!(root.groups("cpu").unwrap().throttle(), Throttle { ns: 77, periods: 3 });
    assert_eq!(root.groups("memory").unwrap().memory_left_bytes(), None, "the sentinel is no limit");
}

#[test]
fn a_hybrid_machine_has_each_controller_in_one_version() {
    let root = Root::new(&[
        ("proc/self/cgroup", "4:memory:/m\n0::/u\n"),
        (
            "proc/self/mountinfo",
            "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
             41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
        ),
        ("sys/fs/cgroup/memory/m/memory.limit_in_bytes", "900\n"),
        ("sys/fs/cgroup/memory/m/memory.usage_in_bytes", "1000\n"),
        ("sys/fs/cgroup/unified/u/cpu.max", "10000 100000\n"),
    ]);
    assert_eq!(root.quota(), Some(0.1));
    assert_eq!(root.groups("memory").unwrap().memory_left_bytes(), Some(0), "over the limit is nothing left");
}

#[test]
fn a_group_outside_our_namespace_is_read_from_where_we_can_see() {
    for path in ["/../sibling", "/elsewhere/gone"] {
        let root = Root::new(&[
            ("proc/self/cgroup", &format!("0::{path}\n")),
            ("proc/self/mountinfo", V2_MOUNT),
            ("sys/fs/cgroup/cpu.max", "30000 100000\n"),
            ("sys/fs/sibling/cpu.max", "10000 100000\n"),
        ]);
        assert_eq!(root.quota(), Some(0.3), "{path}");
    }
}

#[test]
fn of_two_mounts_the_one_that_shows_our_group_is_read() {
    let root = Root::new(&[
        ("proc/self/cgroup", "2:cpu:/a/b\n"),
        (
            "proc/self/mountinfo",
            "33 31 0:30 /other /mnt/other rw - cgroup cgroup rw,cpu\n\
             34 31 0:30 /a /mnt/a rw - cgroup cgroup rw,cpu\n",
        ),
        ("mnt/other/cpu.cfs_quota_us", "10000\n"),
        ("mnt/other/cpu.cfs_period_us", "100000\n"),
        ("mnt/a/b/cpu.cfs_quota_us", "70000\n"),
        ("mnt/a/b/cpu.cfs_period_us", "100000\n"),
    ]);
    assert_eq!(root.quota(), Some(0.7));
}

#[test]
fn without_control_groups_there_is_nothing_to_say() {
    assert_eq!(Root::new(&[]).groups("cpu"), None);
    let unmounted =
        Root::new(&[("proc/self/cgroup", "0::/\n"), ("proc/self/mountinfo", "1 1 0:1 / / rw - ext4 x rw\n")]);
    assert_eq!(unmounted.groups("cpu"), None);
}
