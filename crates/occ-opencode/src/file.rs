//! Files of the folder that the server works in.

use std::path::PathBuf;

use hyper::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::query::with_query;
use crate::{Client, Error};

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FileEntry {
    /// Its name.
    pub name: String,
    /// Its path, relative to the folder that the server works in.
    pub path: PathBuf,
    /// `file` or `directory`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// The text of a file as the server gives it.
#[derive(Deserialize)]
struct Contents {
    #[serde(rename = "type")]
    kind: String,
    content: String,
}

impl Client {
    /// Reads a text file; the path is relative to the folder that the server works in. The server leaves out
    /// white space at the file's end.
    ///
    /// # Errors
    /// [`Error::NoFile`] where there is none: the server itself answers as if it were empty.
    /// [`Error::NotText`] where it is something else, [`Error::Status`] 500 for paths that lead elsewhere, and
    /// every kind a JSON request has.
    pub async fn read_file(&self, path: &str) -> Result<String, Error> {
        let address = with_query("/file/content", "path", path.as_bytes());
        let contents: Contents = self.json(Method::GET, &address, None).await?;
        if contents.kind != "text" {
            return Err(Error::NotText { path: path.to_owned(), kind: contents.kind });
        }
        if contents.content.is_empty() && !self.is_listed(path).await? {
            return Err(Error::NoFile { path: path.to_owned() });
        }
        Ok(contents.content)
    }

    /// Lists a folder; the path is relative to the folder that the server works in, `.` is that itself.
    ///
    /// # Errors
    /// [`Error::Status`] 500 where there is no such folder, and every kind a JSON request has.
    pub async fn list_files(&self, path: &str) -> Result<Vec<FileEntry>, Error> {
        self.json(Method::GET, &with_query("/file", "path", path.as_bytes()), None).await
    }

    /// Returns the paths of the files with a text that matches a regular expression, each once, sorted.
    ///
    /// # Errors
    /// [`Error::Status`] 500 where the server has no ripgrep, and every kind a JSON request has.
    pub async fn find_text(&self, pattern: &str) -> Result<Vec<String>, Error> {
        let address = with_query("/find", "pattern", pattern.as_bytes());
        let hits: Vec<Value> = self.json(Method::GET, &address, None).await?;
        let mut paths: Vec<String> =
            hits.iter().filter_map(|hit| hit["path"]["text"].as_str()).map(str::to_owned).collect();
        paths.sort();
        paths.dedup();
        Ok(paths)
    }

    async fn is_listed(&self, path: &str) -> Result<bool, Error> {
        let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
        match self.list_files(folder).await {
            Ok(entries) => Ok(entries.iter().any(|entry| entry.name == name)),
            // No such folder, no such file.
            Err(Error::Status { status: 500, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
