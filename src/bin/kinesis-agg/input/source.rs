//! Opening inputs, and reading them without waiting longer than there is something to write.

use core::time::Duration;
use std::fs::{self, File};
use std::io::{self, Cursor, ErrorKind, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Instant;

use crate::args::ReadArgs;
use crate::failure::Failure;
use crate::input::quote::escape;
use crate::output::to_u64;
use crate::progress::Progress;
use crate::stop;

/// The most bytes of one read from an input that may pause. A pipe holds as many.
const CHUNK: usize = 64 * 1024;

/// The number of chunks that are read ahead.
const CHUNKS: usize = 4;

/// An input that sends nothing for so long has paused. A busy one takes less time between chunks, and results are written
/// more efficiently when there are several.
const PAUSE: Duration = Duration::from_millis(3);

/// The time between two checks for signals while the input pauses.
const CHECK_SIGNALS: Duration = Duration::from_millis(20);

/// After a signal, what has been sent already is still read: what arrives without a pause of this length.
const LAST_PAUSE: Duration = Duration::from_millis(100);

/// The most time for that if the input never pauses.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// An open input, and its name for messages.
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) reader: Box<dyn Pausing>,
}

/// A reader that returns [`ErrorKind::WouldBlock`] when the input pauses.
pub(crate) trait Pausing: Read {
    /// Waits until there is something to read, or the input ends, or it is `until`.
    fn wait(&mut self, until: Option<Instant>);

    /// Returns whether the input ended because of a signal.
    fn was_stopped(&self) -> bool;
}

/// Opens the inputs one after the other, each only when the one before has been read.
pub(crate) fn open_each(
    args: &ReadArgs,
    progress: &Progress,
    mut read: impl FnMut(Source) -> Result<(), Failure>,
) -> Result<(), Failure> {
    stop::listen();
    if args.files.is_empty() {
        return read(standard_input(progress));
    }
    for file in &args.files {
        if stop::requested() {
            break;
        }
        read(if file == Path::new("-") { standard_input(progress) } else { open(file, progress)? })?;
    }
    Ok(())
}

fn open(path: &Path, progress: &Progress) -> Result<Source, Failure> {
    let name = escape(&path.display().to_string());
    let failed = |error: io::Error| cannot_read(&name, &error);
    let metadata = fs::metadata(path).map_err(failed)?;
    if metadata.is_dir() {
        return Err(failed(ErrorKind::IsADirectory.into()));
    }
    let reader: Box<dyn Pausing> = if metadata.is_file() {
        progress.expect(metadata.len());
        Box::new(Regular { file: File::open(path).map_err(failed)?, stopped: false })
    } else {
        // Opening a named pipe waits for the other end.
        let path = path.to_owned();
        Box::new(Live::new(move || File::open(path)))
    };
    Ok(Source { reader: progress.watch(reader), name })
}

fn standard_input(progress: &Progress) -> Source {
    let reader: Box<dyn Pausing> = match regular_standard_input() {
        Some(file) => Box::new(Regular { file, stopped: false }),
        None => Box::new(Live::new(|| Ok(io::stdin()))),
    };
    Source { name: "standard input".to_owned(), reader: progress.watch(reader) }
}

/// Returns standard input as a file, if it is redirected from one. It never pauses.
#[cfg(unix)]
fn regular_standard_input() -> Option<File> {
    use std::os::fd::AsFd;
    let file = File::from(io::stdin().as_fd().try_clone_to_owned().ok()?);
    file.metadata().is_ok_and(|metadata| metadata.is_file()).then_some(file)
}

#[cfg(not(unix))]
fn regular_standard_input() -> Option<File> {
    None
}

pub(crate) fn cannot_read(name: &str, error: &io::Error) -> Failure {
    Failure::Input(format!("{name}: {error}"))
}

/// A file on disk, which never pauses.
struct Regular {
    file: File,
    stopped: bool,
}

impl Read for Regular {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stopped |= stop::requested();
        if self.stopped { Ok(0) } else { self.file.read(buffer) }
    }
}

impl Pausing for Regular {
    fn wait(&mut self, _until: Option<Instant>) {}

    fn was_stopped(&self) -> bool {
        self.stopped
    }
}

/// An input that may pause, such as a pipe or a terminal. A thread reads it.
struct Live<O> {
    /// Opens the input. Taken when the thread is started.
    open: Option<O>,
    chunks: Option<Receiver<io::Result<Vec<u8>>>>,
    chunk: Cursor<Vec<u8>>,
    ended: bool,
    /// An error for the next `read`.
    failed: Option<io::Error>,
    /// When the signal to stop was noticed.
    stopping_since: Option<Instant>,
}

impl<O: FnOnce() -> io::Result<R> + Send + 'static, R: Read> Live<O> {
    const fn new(open: O) -> Self {
        Self {
            open: Some(open),
            chunks: None,
            chunk: Cursor::new(Vec::new()),
            ended: false,
            failed: None,
            stopping_since: None,
        }
    }

    /// Receives the next chunk, or returns `WouldBlock` after a time without one.
    fn receive(&mut self, timeout: Duration) -> io::Result<()> {
        if let Some(open) = self.open.take() {
            let (sender, receiver) = sync_channel(CHUNKS);
            thread::spawn(move || read_chunks(open, &sender));
            self.chunks = Some(receiver);
        }
        let Some(chunks) = &self.chunks else { return Ok(()) };
        match chunks.recv_timeout(timeout) {
            Ok(chunk) => self.chunk = Cursor::new(chunk?),
            Err(RecvTimeoutError::Timeout) => return Err(ErrorKind::WouldBlock.into()),
            Err(RecvTimeoutError::Disconnected) => self.ended = true,
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.chunk.position() >= to_u64(self.chunk.get_ref().len())
    }
}

impl<O: FnOnce() -> io::Result<R> + Send + 'static, R: Read> Read for Live<O> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if self.is_empty() && !self.ended {
            if self.stopping_since.is_some_and(|since| since.elapsed() > LAST_WORDS) {
                self.ended = true;
            } else {
                self.receive(PAUSE)?;
            }
        }
        self.chunk.read(buffer)
    }
}

impl<O: FnOnce() -> io::Result<R> + Send + 'static, R: Read> Pausing for Live<O> {
    fn wait(&mut self, until: Option<Instant>) {
        while self.is_empty() && !self.ended {
            let now = Instant::now();
            if until.is_some_and(|until| until <= now) {
                return;
            }
            if stop::requested() {
                self.stopping_since.get_or_insert(now);
            }
            let most = if self.stopping_since.is_some() { LAST_PAUSE } else { CHECK_SIGNALS };
            let timeout = until.map_or(most, |until| most.min(until - now));
            match self.receive(timeout) {
                Err(error) if error.kind() != ErrorKind::WouldBlock => {
                    // The next `read` returns it.
                    self.failed = Some(error);
                    return;
                }
                Err(_) if self.stopping_since.is_some() && timeout == LAST_PAUSE => self.ended = true,
                _ => {}
            }
        }
    }

    fn was_stopped(&self) -> bool {
        self.ended && self.stopping_since.is_some()
    }
}

/// Reads an input to its end, or until nobody receives the chunks.
fn read_chunks<R: Read>(open: impl FnOnce() -> io::Result<R>, sender: &SyncSender<io::Result<Vec<u8>>>) {
    let read_all = || {
        let mut reader = open()?;
        loop {
            let mut chunk = vec![0; CHUNK];
            let len = match reader.read(&mut chunk) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                len => len?,
            };
            chunk.truncate(len);
            if len == 0 || sender.send(Ok(chunk)).is_err() {
                return Ok(());
            }
        }
    };
    if let Err(error) = read_all() {
        _ = sender.send(Err(error));
    }
}

/// A beginning that was read before, and the rest.
pub(crate) struct Resumed {
    pub(crate) beginning: Cursor<Vec<u8>>,
    pub(crate) rest: Box<dyn Pausing>,
}

impl Read for Resumed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.beginning.read(buffer)? {
            0 => self.rest.read(buffer),
            len => Ok(len),
        }
    }
}

impl Pausing for Resumed {
    fn wait(&mut self, until: Option<Instant>) {
        self.rest.wait(until);
    }

    fn was_stopped(&self) -> bool {
        self.rest.was_stopped()
    }
}

/// An input that has been read already.
pub(crate) struct InMemory(pub(crate) Cursor<Vec<u8>>);

impl Read for InMemory {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Pausing for InMemory {
    fn wait(&mut self, _until: Option<Instant>) {}

    fn was_stopped(&self) -> bool {
        false
    }
}
