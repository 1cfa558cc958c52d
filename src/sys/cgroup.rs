//! Reads our control groups: CPU and memory limits, and throttling.
//!
//! Works with version 1, version 2 and both at once (each controller is in one of them), with and without a
//! cgroup namespace of our own. Limits hold on every level from our group up to the root that we can see, so
//! each figure covers that whole path. Formats: kernel documentation, `admin-guide/cgroup-v2.rst`,
//! `scheduler/sched-bwc.rst` and proc(5).
//!
//! Parsers take strings; readers take the root directory, which is `/` except in tests.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// The most levels read. No real machine has deeper trees, and each level costs a read whenever throttling is
/// sampled.
const LEVELS_MAX: usize = 32;
/// Threshold for "no limit": version 1 writes it as the largest multiple of a page below 2^63, and no machine
/// has 2^62 bytes.
const V1_MEMORY_UNLIMITED: u64 = 1 << 62;

/// The two cgroup interfaces of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

/// The control groups that limit this process for one controller, from its own up to the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    version: Version,
    levels: Vec<PathBuf>,
}

/// CPU throttling since the groups were created, summed over the levels of the path. The difference of two
/// readings is the throttling between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throttle {
    /// How long runnable threads were denied the CPU, in nanoseconds. Counted per CPU, so it can grow faster
    /// than time.
    pub ns: u64,
    /// Number of enforcement periods with throttling.
    pub periods: u64,
}

impl Throttle {
    /// The throttling after `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self { ns: self.ns.saturating_sub(earlier.ns), periods: self.periods.saturating_sub(earlier.periods) }
    }
}

impl Groups {
    /// The groups of this process that limit `controller` (`cpu`, `memory`); `root` is `/` except in tests.
    /// `None`: there are none, or they are not mounted where we can see them.
    pub fn find(root: &Path, controller: &str) -> Option<Self> {
        let memberships = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
        let mounts = fs::read_to_string(root.join("proc/self/mountinfo")).ok()?;
        let (version, mount, path) = locate(&memberships, &mounts, controller)?;
        let top = under(root, &mount.point);
        // A path that is not below the mount's root, or climbs out of it, is outside our namespace: what we
        // can see begins at the mount.
        let below = path.strip_prefix(&mount.root).ok();
        let below = below.filter(|rest| !rest.components().any(|part| part == Component::ParentDir));
        let inside = below.map_or(top.clone(), |rest| top.join(rest));
        let levels: Vec<PathBuf> = inside
            .ancestors()
            .take_while(|level| level.starts_with(&top))
            .filter(|level| level.is_dir())
            .take(LEVELS_MAX)
            .map(Path::to_path_buf)
            .collect();
        (!levels.is_empty()).then_some(Self { version, levels })
    }

    /// The lowest CPU quota of all levels, in CPUs; `None`: no quota.
    pub fn quota_cpus(&self) -> Option<f64> {
        let quota = |level: &PathBuf| match self.version {
            Version::V1 => {
                parse_quota_v1(&read(level, "cpu.cfs_quota_us")?, &read(level, "cpu.cfs_period_us")?)
            }
            Version::V2 => parse_quota_v2(&read(level, "cpu.max")?),
        };
        self.levels.iter().filter_map(quota).min_by(f64::total_cmp)
    }

    /// Throttling so far; zero where the kernel does not count it.
    pub fn throttle(&self) -> Throttle {
        let each = self.levels.iter().filter_map(|level| read(level, "cpu.stat"));
        each.map(|stat| parse_throttle(&stat)).fold(Throttle::default(), |sum, one| Throttle {
            ns: sum.ns.saturating_add(one.ns),
            periods: sum.periods.saturating_add(one.periods),
        })
    }

    /// Bytes left before a level's memory limit is hit, not counting page cache that the kernel would
    /// reclaim; `None`: no limit.
    pub fn memory_left_bytes(&self) -> Option<u64> {
        let (limit, usage, cache) = match self.version {
            Version::V1 => ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
            Version::V2 => ("memory.max", "memory.current", "inactive_file"),
        };
        let left = |level: &PathBuf| {
            let limit = parse_memory_limit(&read(level, limit)?)?;
            let used: u64 = read(level, usage)?.trim().parse().ok()?;
            let cache = read(level, "memory.stat").and_then(|stat| field(&stat, cache)).unwrap_or(0);
            Some(limit.saturating_sub(used.saturating_sub(cache)))
        };
        self.levels.iter().filter_map(left).min()
    }
}

/// One line of mountinfo: the mounted part of a hierarchy, and its mount point.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mount {
    root: PathBuf,
    point: PathBuf,
}

/// The version that has `controller`, its mount, and our group's path in it.
fn locate(memberships: &str, mounts: &str, controller: &str) -> Option<(Version, Mount, PathBuf)> {
    let v1 = |line: &str| {
        let (controllers, path) = membership(line)?;
        controllers.split(',').any(|name| name == controller).then_some(path)
    };
    if let Some(path) = memberships.lines().find_map(v1) {
        let mount =
            closest(mounts.lines().filter_map(|line| mount(line, "cgroup", Some(controller))), &path)?;
        return Some((Version::V1, mount, path));
    }
    // Version 2 is the line without controllers: it has all those that version 1 does not.
    let v2 =
        |line: &str| membership(line).and_then(|(controllers, path)| controllers.is_empty().then_some(path));
    let path = memberships.lines().find_map(v2)?;
    let mount = closest(mounts.lines().filter_map(|line| mount(line, "cgroup2", None)), &path)?;
    Some((Version::V2, mount, path))
}

/// The first mount that contains `path`, or the first of all: a hierarchy may be mounted in parts.
fn closest(mounts: impl Iterator<Item = Mount>, path: &Path) -> Option<Mount> {
    let mounts: Vec<Mount> = mounts.collect();
    mounts.iter().find(|mount| path.starts_with(&mount.root)).or(mounts.first()).cloned()
}

/// Splits `4:cpu,cpuacct:/a/b` into controllers and path.
fn membership(line: &str) -> Option<(&str, PathBuf)> {
    let (_, rest) = line.split_once(':')?;
    let (controllers, path) = rest.split_once(':')?;
    Some((controllers, PathBuf::from(path)))
}

/// Parses a mountinfo line, if it mounts `kind` with `option` among the file system's own options.
fn mount(line: &str, kind: &str, option: Option<&str>) -> Option<Mount> {
    let (ours, filesystem) = line.split_once(" - ")?;
    let mut filesystem = filesystem.split(' ');
    if filesystem.next()? != kind {
        return None;
    }
    let options = filesystem.nth(1)?;
    if option.is_some_and(|option| !options.split(',').any(|one| one == option)) {
        return None;
    }
    let mut ours = ours.split(' ').skip(3);
    Some(Mount { root: unescape(ours.next()?).into(), point: unescape(ours.next()?).into() })
}

/// Undo the octal escapes that mountinfo uses for space, tab, line feed and backslash.
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (escape, plain)| text.replace(escape, plain))
}

/// `50000 100000`: quota and period in microseconds; `max` means no quota.
fn parse_quota_v2(text: &str) -> Option<f64> {
    let (quota, period) = text.trim().split_once(' ')?;
    parse_quota_v1(quota, period)
}

/// Quota and period in microseconds; -1 means no quota.
fn parse_quota_v1(quota: &str, period: &str) -> Option<f64> {
    let quota: i64 = quota.trim().parse().ok()?;
    let period: i64 = period.trim().parse().ok()?;
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

/// `cpu.stat` of either version: `throttled_usec`, or `throttled_time` in nanoseconds.
fn parse_throttle(stat: &str) -> Throttle {
    let ns = field(stat, "throttled_usec").map(|us| us.saturating_mul(1000));
    Throttle {
        ns: ns.or_else(|| field(stat, "throttled_time")).unwrap_or(0),
        periods: field(stat, "nr_throttled").unwrap_or(0),
    }
}

/// Bytes; `max` and version 1's sentinel mean no limit.
fn parse_memory_limit(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|limit| *limit < V1_MEMORY_UNLIMITED)
}

/// The number after `key` in a file of `key number` lines.
fn field(text: &str, key: &str) -> Option<u64> {
    let of_key = |line: &str| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok();
    text.lines().find_map(of_key)
}

fn read(level: &Path, file: &str) -> Option<String> {
    fs::read_to_string(level.join(file)).ok()
}

/// An absolute path as seen below `root`.
fn under(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_cpus_and_no_limit_is_none() {
        for (text, cpus) in [
            ("max 100000\n", None),
            ("25000 100000\n", Some(0.25)),
            ("350000 100000\n", Some(3.5)),
            ("10000 20000", Some(0.5)),
            ("1 0", None),
            ("", None),
            ("x 100000", None),
        ] {
            assert_eq!(parse_quota_v2(text), cpus, "{text:?}");
        }
        for (quota, cpus) in [("-1\n", None), ("200000\n", Some(2.0)), ("0", None), ("", None)] {
            assert_eq!(parse_quota_v1(quota, "100000\n"), cpus, "{quota:?}");
        }
    }

    #[test]
    fn throttling_is_read_in_nanoseconds_from_either_version() {
        let v1 = "nr_periods 20\nnr_throttled 7\nthrottled_time 123456789\nnr_bursts 0\nburst_time 0\n";
        let v2 = "usage_usec 900\nnr_periods 20\nnr_throttled 7\nthrottled_usec 123456\nnr_bursts 0\n";
        assert_eq!(parse_throttle(v1), Throttle { ns: 123_456_789, periods: 7 });
        assert_eq!(parse_throttle(v2), Throttle { ns: 123_456_000, periods: 7 });
        assert_eq!(parse_throttle("usage_usec 900\nuser_usec 500\n"), Throttle::default());
    }

    #[test]
    fn the_difference_of_two_readings_is_what_came_between_and_never_negative() {
        let (early, late) = (Throttle { ns: 5, periods: 1 }, Throttle { ns: 9, periods: 3 });
        assert_eq!(late.since(early), Throttle { ns: 4, periods: 2 });
        assert_eq!(early.since(late), Throttle::default());
    }

    #[test]
    fn memory_limits_know_both_words_for_none() {
        for (text, limit) in
            [("max\n", None), ("9223372036854771712\n", None), ("536870912\n", Some(536_870_912)), ("", None)]
        {
            assert_eq!(parse_memory_limit(text), limit, "{text:?}");
        }
    }

    #[test]
    fn mounts_may_have_spaces_and_optional_fields() {
        let line =
            r"33 31 0:30 /a\040b /sys/fs/c\134d rw,relatime shared:9 master:1 - cgroup none rw,cpu,cpuacct";
        let found = Mount { root: "/a b".into(), point: r"/sys/fs/c\d".into() };
        assert_eq!(mount(line, "cgroup", Some("cpu")), Some(found));
        assert_eq!(mount(line, "cgroup", Some("memory")), None);
        assert_eq!(mount(line, "cgroup2", None), None);
        assert_eq!(mount("nonsense", "cgroup", None), None);
    }
}
