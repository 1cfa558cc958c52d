//! Early ends of a run: signals, and an operator with the token.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Failure;
use super::signals::Interrupts;
use super::tokens::OPERATOR_TOKEN;
use crate::web::{Operator, Token};

/// Whether the run should end.
pub(crate) struct Stop<'a> {
    interrupts: &'a Interrupts,
    by_operator: Arc<AtomicBool>,
}

impl<'a> Stop<'a> {
    /// No stop requested yet.
    pub(crate) fn new(interrupts: &'a Interrupts) -> Self {
        Self { interrupts, by_operator: Arc::default() }
    }

    /// Whether a signal was received or the operator stopped the run.
    pub(crate) fn asked(&self) -> bool {
        self.interrupts.any() || self.by_operator.load(Ordering::Relaxed)
    }

    /// Whether a signal was received, so that the next one ends the process.
    pub(crate) fn by_signal(&self) -> bool {
        self.interrupts.any()
    }

    /// The operator who may stop the run, if a token is set.
    ///
    /// # Errors
    /// The token is invalid; names the variable.
    pub(crate) fn operator(&self) -> Result<Option<Operator>, Failure> {
        let Some(text) = std::env::var_os(OPERATOR_TOKEN) else { return Ok(None) };
        let token = text.to_str().ok_or_else(|| "a token is text".to_owned()).and_then(Token::new);
        let token = token.map_err(|why| Failure::usage(format!("{OPERATOR_TOKEN}: {why}")))?;
        let by_operator = self.by_operator.clone();
        let stop = move || {
            by_operator.store(true, Ordering::Relaxed);
            Ok(())
        };
        Ok(Some(Operator { token, start: None, stop: Box::new(stop) }))
    }
}
