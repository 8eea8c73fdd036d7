//! Requests that a client may send again: made once, and answered the same each time.
//!
//! What is answered is stored with the change, in one transaction. So there is nothing between *made* and *answered*.

use std::sync::{Arc, OnceLock};

use crate::ids::Timestamp;
use crate::pap::PapError;
use crate::pap::writer::Writers;
use crate::storage::records::{AnswerOwner, AnswerRecord};

/// How long a repeated request gets the answer of the first.
pub(crate) const ANSWERS_KEPT_MILLIS: i64 = 24 * 60 * 60 * 1_000;
/// The status of what was made and cannot be answered again.
const NOT_REPEATED: u16 = 409;

/// What a request is known by that may be sent again.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    pub owner: AnswerOwner,
    /// A hash of what the client calls the request, and of the operation.
    pub key: [u8; 32],
    /// A hash of the request itself.
    pub request: [u8; 32],
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub etag: Option<String>,
    pub body: Vec<u8>,
}

impl Answer {
    /// Stored for an answer with a secret, which is shown once: what was made instead.
    #[must_use]
    pub fn not_repeated(made: String) -> Self {
        Self { status: NOT_REPEATED, etag: None, body: made.into_bytes() }
    }
}

/// How a change is answered of which a `T` comes, and what it is known by when it may be asked for again.
pub struct Once<T> {
    asked: Option<Asked>,
    answer: Arc<dyn Fn(&T) -> Answer + Send + Sync>,
    /// The answer that was stored: the first one is not made twice either.
    given: Arc<OnceLock<Answer>>,
}

impl<T> Clone for Once<T> {
    fn clone(&self) -> Self {
        Self { asked: self.asked, answer: Arc::clone(&self.answer), given: Arc::clone(&self.given) }
    }
}

impl<T: 'static> Once<T> {
    #[must_use]
    pub fn new(asked: Option<Asked>, answer: impl Fn(&T) -> Answer + Send + Sync + 'static) -> Self {
        Self { asked, answer: Arc::new(answer), given: Arc::default() }
    }

    /// Of a change that nobody asks for again, and whose answer is made by who asked.
    #[must_use]
    pub fn never() -> Self {
        Self::new(None, |_| Answer { status: 0, etag: None, body: Vec::new() })
    }

    #[must_use]
    pub fn asked(&self) -> Option<&Asked> {
        self.asked.as_ref()
    }

    /// What is answered to what was made.
    #[must_use]
    pub fn answer(&self, made: &T) -> Answer {
        self.given.get().cloned().unwrap_or_else(|| (self.answer)(made))
    }

    /// What is to be stored with the change, when it may be asked for again.
    pub(crate) fn record(&self, made: &T, at: Timestamp) -> Option<AnswerRecord> {
        let Asked { owner, key, request } = self.asked?;
        let Answer { status, etag, body } = self.given.get_or_init(|| (self.answer)(made)).clone();
        Some(AnswerRecord { owner, key, request, status, etag, body, at })
    }

    /// The same of a part of the work, of which the whole follows.
    pub(crate) fn of<U: 'static>(&self, whole: impl Fn(&U) -> T + Send + Sync + 'static) -> Once<U> {
        let answer = Arc::clone(&self.answer);
        let answer = Arc::new(move |part: &U| answer(&whole(part)));
        Once { asked: self.asked, answer, given: Arc::clone(&self.given) }
    }
}

impl Writers {
    /// Goes on with a request that was not made yet.
    ///
    /// # Errors
    /// [`PapError::Answered`] and [`PapError::NotRepeated`] when it was, [`PapError::KeyReused`] when it was another one.
    pub async fn not_made(&self, asked: Option<&Asked>) -> Result<(), PapError> {
        let Some(Asked { owner, key, request }) = asked else { return Ok(()) };
        let since = self.clock.now().as_millis().saturating_sub(ANSWERS_KEPT_MILLIS);
        let found = self.storage.answers.find(owner, key).await?;
        let Some(found) = found.filter(|found| found.at.as_millis() > since) else { return Ok(()) };
        if found.request != *request {
            return Err(PapError::KeyReused);
        }
        let AnswerRecord { status, etag, body, .. } = found;
        if status == NOT_REPEATED {
            return Err(PapError::NotRepeated { made: String::from_utf8_lossy(&body).into_owned() });
        }
        Err(PapError::Answered(Answer { status, etag, body }))
    }

    /// Answers a request that there was nothing to change for: sent again, it changes nothing either, whatever has changed
    /// meanwhile.
    ///
    /// # Errors
    /// As [`Self::not_made`], and when storage fails.
    pub async fn nothing_made<T: Send + Sync + 'static>(&self, once: &Once<T>, made: T) -> Result<T, PapError> {
        let Some(asked) = once.asked else { return Ok(made) };
        let (this, once) = (self.clone(), once.clone());
        let work = async move {
            this.put_answer(&once, &made).await?;
            Ok(made)
        };
        self.in_turn(Some(asked), work).await
    }

    /// Stores an answer alone, for who has the turn.
    pub(crate) async fn put_answer<T: 'static>(&self, once: &Once<T>, made: &T) -> Result<(), PapError> {
        match once.record(made, self.clock.now()) {
            Some(answer) => Ok(self.storage.answers.put(&answer).await?),
            None => Ok(()),
        }
    }
}
