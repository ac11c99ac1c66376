//! A stream whose peer must take what is written: a write that rests too long is an error.

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::connections::Worker;
use super::turns::turn;

/// Ends clients that ask and do not read.
pub(super) struct WriteTimeout<S> {
    stream: S,
    patience: Duration,
    timer: Pin<Box<Sleep>>,
    waiting: bool,
    worker: Option<Worker>,
}

impl<S> WriteTimeout<S> {
    pub(super) fn new(stream: S, patience: Duration) -> Self {
        Self {
            stream,
            patience,
            timer: Box::pin(sleep(patience)),
            waiting: false,
            worker: None,
        }
    }

    /// `worker` hears when everything was sent.
    pub(super) fn telling(self, worker: Worker) -> Self {
        Self {
            worker: Some(worker),
            ..self
        }
    }

    /// Progress rests the timer; the lack of it starts the timer, and then waits for it.
    fn judge<T>(
        &mut self,
        cx: &mut Context<'_>,
        progress: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if progress.is_ready() {
            self.waiting = false;
            return progress;
        }
        if !self.waiting {
            self.waiting = true;
            self.timer.as_mut().reset(Instant::now() + self.patience);
        }
        ready!(self.timer.as_mut().poll(cx));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteTimeout<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTimeout<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let bytes = &bytes[..turn(bytes.len())];
        let progress = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.judge(cx, progress)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let total = bytes.iter().map(|slice| slice.len()).sum();
        let most = turn(total);
        let stream = Pin::new(&mut self.stream);
        let progress = match bytes.iter().find(|slice| !slice.is_empty()) {
            Some(first) if most < total => stream.poll_write(cx, &first[..first.len().min(most)]),
            _ => stream.poll_write_vectored(cx, bytes),
        };
        self.judge(cx, progress)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let progress = Pin::new(&mut self.stream).poll_flush(cx);
        if let (Poll::Ready(Ok(())), Some(worker)) = (&progress, &self.worker) {
            worker.flushed();
        }
        self.judge(cx, progress)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_rests_too_long_is_an_error() {
        let (near, _far) = duplex(16);
        let mut near = WriteTimeout::new(near, Duration::from_secs(10));
        let began = Instant::now();
        let error = near.write_all(&[0; 17]).await.expect_err("nobody reads");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_is_no_error_while_it_reads() {
        let (near, mut far) = duplex(16);
        let mut near = WriteTimeout::new(near, Duration::from_secs(10));
        let reader = tokio::spawn(async move {
            let mut byte = [0; 8];
            for _ in 0..20 {
                sleep(Duration::from_secs(9)).await;
                far.read_exact(&mut byte).await.expect("reads");
            }
        });
        near.write_all(&[0; 160]).await.expect("the reader reads");
        reader.await.expect("ends");
    }
}
