//! One who works: a session, a prompt, a tool, a file, a command, now and then a terminal, and the end of the
//! session; round after round.

use std::time::{Duration, Instant};

use occ_opencode::{Client, Session};

use super::course::Course;
use super::entry::Entry;
use crate::fault::{Fault, same};
use crate::group::{computes, forget, sound};

/// Longest time of a request; a prompt has several in it.
const REQUEST: Duration = Duration::from_secs(60);
/// Longest time of the answer that says that it is alive.
const HEALTH: Duration = Duration::from_secs(3);
/// How many rounds may fail in a row.
const HOPELESS: u32 = 10;
/// In how many rounds there is one terminal.
const TERMINAL: u64 = 5;

/// Works until it is over.
pub(super) async fn work(course: &Course<'_>, worker: usize) {
    let (mut number, mut failures) = (0, 0);
    while course.goes_on() {
        number += 1;
        let client = course.client.read().await;
        let own = client.within(REQUEST).in_folder(&Course::folder(worker));
        let round = Round { course, client: &own, worker, number };
        failures = if round.run().await.is_some() { 0 } else { failures + 1 };
        drop(client);
        course.round(worker);
        if failures == HOPELESS {
            let what = format!("{HOPELESS} rounds in a row failed: it is given up");
            course.note(Entry::Trouble { what });
            course.give_up();
        }
    }
}

struct Round<'a> {
    course: &'a Course<'a>,
    client: &'a Client,
    worker: usize,
    number: u64,
}

impl Round<'_> {
    /// A step that fails ends the round.
    async fn run(&self) -> Option<()> {
        let client = self.client;
        let session = self.step("session", async { Ok(client.create_session().await?) }).await?;
        let worked = self.in_session(&session).await;
        if worked.is_none() {
            forget(client, &session).await;
            return None;
        }
        self.step("delete", async { Ok(client.delete_session(&session.id).await?) }).await
    }

    async fn in_session(&self, session: &Session) -> Option<()> {
        let (client, text) = (self.client, format!("word-{}-{}", self.worker, self.number));
        self.step("prompt", async {
            let answer = sound(client, &session.id, &text).await?;
            same("the answer", &answer.text(), &format!("PONG {text}"))
        })
        .await?;
        self.step("tool", async {
            let wish = format!("RUN printf {text} >file.txt");
            sound(client, &session.id, &wish).await.map(drop)
        })
        .await?;
        self.step("file", async { same("the file", &client.read_file("file.txt").await?, &text) })
            .await?;
        self.step("shell", async {
            let command = format!("cat file.txt; exit {}", self.worker);
            let ran = client.command(&session.id, &command).await?;
            same("the command", &(ran.output, usize::from(ran.code)), &(text.clone(), self.worker))
        })
        .await?;
        // Sessions of others are in other folders, and must not be here.
        self.step("isolation", async {
            // Its title is another by now.
            let listed = client.sessions().await?.into_iter();
            let here = listed.filter(|one| one.directory == session.directory);
            let here: Vec<_> = here.map(|one| one.id).collect();
            same("the sessions of the folder", &here, &vec![session.id.clone()])
        })
        .await?;
        if self.number.is_multiple_of(TERMINAL) {
            self.step("terminal", computes(client)).await?;
        }
        self.step("health", async {
            client.within(HEALTH).health().await?;
            Ok(())
        })
        .await
    }

    async fn step<T>(
        &self,
        step: &'static str,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Option<T> {
        let begun = Instant::now();
        let done = work.await;
        let seconds = begun.elapsed().as_secs_f64();
        let error = done.as_ref().err().map(Fault::whole);
        self.course.note(Entry::Step { worker: self.worker, step, seconds, error });
        done.ok()
    }
}
