//! How much work an evaluation may do.

/// What stops an evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The work is used up. Unlike an error, `false && …` does not hide it.
    OverBudget,
    Failed(String),
}

impl Fault {
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }
}

#[derive(Debug)]
pub(super) struct Meter {
    left: u64,
}

impl Meter {
    pub(super) fn new(budget: u64) -> Self {
        Self { left: budget }
    }

    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Called before the work, so that nothing large is made first.
    pub(super) fn spend(&mut self, cost: usize) -> Result<(), Fault> {
        let cost = u64::try_from(cost).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(cost).ok_or(Fault::OverBudget)?;
        Ok(())
    }

    /// Text and bytes are read faster than anything else: ten of them cost one.
    pub(super) fn spend_text(&mut self, length: usize) -> Result<(), Fault> {
        self.spend(length.div_ceil(10))
    }
}
