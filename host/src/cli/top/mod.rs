//! `gristmill top`: watches the pipelines of a host.

mod args;
mod plain;
mod screen;
mod view;

use std::io::{self, IsTerminal};
use std::time::Duration;

use anyhow::Context;
use gristmill_admin::HostView;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

pub(super) use args::Top;

use self::screen::{Sample, Screen};
use super::admin_server::AdminServer;
use crate::app::Failure;
use crate::console;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the thread that reads keys may outlive the command.
const POLL: Duration = Duration::from_millis(100);

/// Watches a host until the user quits, or prints how it is.
pub(super) async fn top(args: &Top) -> Result<(), Failure> {
    let server = AdminServer::of(&args.host)?;
    if args.once {
        return once(&server, args.interval).await;
    }
    if !io::stdout().is_terminal() {
        return Err(Failure::Setup(anyhow::anyhow!("top needs a terminal; with --once it prints plain tables")));
    }
    // Before the screen is cleared: an address where nobody answers is an error like any other.
    let first = host(&server).await?;
    let mut terminal = ratatui::try_init().context("cannot use the terminal")?;
    let watched = watch(server, args.interval, first, &mut terminal).await;
    ratatui::try_restore().context("cannot give the terminal back")?;
    Ok(watched?)
}

/// Prints plain tables, with the rates of one interval.
async fn once(server: &AdminServer, interval: Duration) -> Result<(), Failure> {
    let begun = Instant::now();
    let before = Sample { at: Duration::ZERO, host: host(server).await? };
    sleep(interval).await;
    let host = host(server).await?;
    let now = Sample { at: begun.elapsed(), host };
    console::print(&plain::text(&Screen::of(&now, Some(&before), 0)))?;
    Ok(())
}

/// How the host is now.
async fn host(server: &AdminServer) -> anyhow::Result<HostView> {
    let answer = server.get(&["healthz"], &[]).await?;
    let body = timeout(PATIENCE, answer.bytes()).await.context("the answer did not arrive")??;
    serde_json::from_slice(&body).context("this is no admin server of Gristmill, or one of another version")
}

/// What the user wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Quit,
    Up,
    Down,
    /// To see the screen in its new size.
    Redraw,
}

async fn watch(
    server: AdminServer,
    interval: Duration,
    first: HostView,
    terminal: &mut DefaultTerminal,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let (seen, mut looks) = mpsc::channel(1);
    let looking = tokio::spawn(async move {
        // Ends when nobody listens any more.
        while seen.send(host(&server).await).await.is_ok() {
            sleep(interval).await;
        }
    });
    let mut wishes = wishes();
    let mut told_to_end = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    let (mut now, mut before) = (Sample { at: Duration::ZERO, host: first }, None);
    let (mut selected, mut trouble) = (0_usize, None);
    loop {
        let screen = Screen::of(&now, before.as_ref(), selected);
        selected = screen.selected;
        terminal.draw(|frame| view::draw(frame, &screen, trouble.as_deref()))?;
        tokio::select! {
            Some(look) = looks.recv() => match look {
                Ok(host) => {
                    let sample = Sample { at: begun.elapsed(), host };
                    before = Some(std::mem::replace(&mut now, sample));
                    trouble = None;
                }
                Err(error) => trouble = Some(gristmill_core::model::printable(&format!("{error:#}"))),
            },
            wish = wishes.recv() => match wish {
                None | Some(Wish::Quit) => break,
                Some(Wish::Up) => selected = selected.saturating_sub(1),
                Some(Wish::Down) => selected += 1,
                Some(Wish::Redraw) => {}
            },
            _ = told_to_end.recv() => break,
        }
    }
    looking.abort();
    Ok(())
}

/// What the user wants, read by a thread of its own: reading keys blocks.
fn wishes() -> mpsc::Receiver<Wish> {
    let (sender, wishes) = mpsc::channel(8);
    std::thread::spawn(move || {
        while !sender.is_closed() {
            let read = match event::poll(POLL) {
                Ok(false) => continue,
                Ok(true) => event::read(),
                Err(error) => Err(error),
            };
            // A terminal that cannot be read any more ends the command.
            let Ok(event) = read else { return };
            if let Some(wish) = wish(&event)
                && sender.blocking_send(wish).is_err()
            {
                return;
            }
        }
    });
    wishes
}

fn wish(event: &Event) -> Option<Wish> {
    match event {
        Event::Key(KeyEvent { code, modifiers, kind: KeyEventKind::Press | KeyEventKind::Repeat, .. }) => match code {
            KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => Some(Wish::Quit),
            KeyCode::Char('q') | KeyCode::Esc => Some(Wish::Quit),
            KeyCode::Up | KeyCode::Char('k') => Some(Wish::Up),
            KeyCode::Down | KeyCode::Char('j') => Some(Wish::Down),
            _ => None,
        },
        Event::Resize(..) => Some(Wish::Redraw),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_wishes() {
        let key = |code, modifiers| wish(&Event::Key(KeyEvent::new(code, modifiers)));
        assert_eq!(key(KeyCode::Char('q'), KeyModifiers::NONE), Some(Wish::Quit));
        assert_eq!(key(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Wish::Quit));
        assert_eq!(key(KeyCode::Char('c'), KeyModifiers::NONE), None);
        assert_eq!(key(KeyCode::Down, KeyModifiers::NONE), Some(Wish::Down));
        assert_eq!(wish(&Event::Resize(1, 1)), Some(Wish::Redraw));
    }
}
