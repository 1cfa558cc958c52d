//! What a comparison was asked for on its command line: the same words for each of them.

use super::contestant::{Contestant, chosen};

/// A comparison's options.
pub struct Options {
    /// Rounds of each case.
    pub rounds: usize,
    /// Length of one run.
    pub seconds: f64,
    /// Those that are installed.
    pub contestants: Vec<Contestant>,
    /// Those that are not.
    pub missing: Vec<Contestant>,
    /// As they were typed.
    pub cases: Vec<String>,
}

/// What a comparison does where nothing is asked for.
pub struct DefaultOptions<'a> {
    pub usage: &'a str,
    pub rounds: usize,
    pub seconds: f64,
    pub contestants: &'a [Contestant],
    pub cases: &'a [&'a str],
}

impl DefaultOptions<'_> {
    /// Read a command line; `None`: it asks for help, which is printed.
    ///
    /// # Errors
    /// What nobody knows, and the usage.
    pub fn read(&self, args: &[String]) -> Result<Option<Options>, String> {
        let mut args = pico_args::Arguments::from_vec(args.iter().map(Into::into).collect());
        if args.contains("--help") {
            println!("{}", self.usage);
            return Ok(None);
        }
        let mut read = || -> Result<_, pico_args::Error> {
            let rounds: Option<usize> = args.opt_value_from_str("--rounds")?;
            let seconds: Option<f64> = args.opt_value_from_str("--seconds")?;
            let only: Option<String> = args.opt_value_from_str("--only")?;
            let cases: Option<String> = args.opt_value_from_str("--cases")?;
            Ok((rounds.unwrap_or(self.rounds).max(1), seconds.unwrap_or(self.seconds).max(1.0), only, cases))
        };
        let (rounds, seconds, only, cases) = read().map_err(|e| format!("{e}\n\n{}", self.usage))?;
        if let Some(left) = args.finish().first() {
            return Err(format!("unknown argument {}\n\n{}", left.display(), self.usage));
        }
        let cases = cases.map_or_else(
            || self.cases.iter().map(|case| (*case).to_owned()).collect(),
            |cases| cases.split(',').map(|case| case.trim().to_owned()).collect(),
        );
        let wanted = chosen(only.as_deref(), self.contestants)?;
        let (contestants, missing) = wanted.into_iter().partition(|c| c.program().is_some());
        Ok(Some(Options { rounds, seconds, contestants, missing, cases }))
    }
}

impl Options {
    /// Whether a case is among those asked for.
    pub fn wants(&self, case: &str) -> bool {
        self.cases.iter().any(|asked| asked == case)
    }

    /// Check that every case is valid.
    ///
    /// # Errors
    /// The first case that `knows` rejects, and the usage.
    pub fn check(&self, usage: &str, knows: impl Fn(&str) -> bool) -> Result<(), String> {
        match self.cases.iter().find(|case| !knows(case)) {
            Some(unknown) => Err(format!("no case {unknown:?}\n\n{usage}")),
            None => Ok(()),
        }
    }

    /// Say who is left out.
    pub fn tell_missing(&self) {
        for contestant in &self.missing {
            println!("{} is not installed and was left out.", contestant.name());
        }
    }
}
