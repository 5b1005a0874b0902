//! A README in parts: blocks of code, and the prose between them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{read, root};

pub struct Readme {
    /// Its path in the repository.
    pub file: String,
    pub blocks: Vec<Block>,
    /// The lines outside of blocks, with their numbers.
    pub prose: Vec<(usize, String)>,
}

pub struct Block {
    /// The number of its first line.
    pub line: usize,
    /// The `## ` heading above it: commands of one section share a shell.
    pub section: String,
    pub language: String,
    pub text: String,
    /// The line before it.
    pub before: String,
    /// Whether there is nothing between the previous block and this one.
    pub follows: bool,
}

impl Readme {
    /// The README of the repository, and those of its folders.
    pub fn all() -> Vec<Self> {
        let folders = fs::read_dir(root()).expect("the repository");
        let folders = folders.map(|entry| entry.expect("an entry").file_name());
        let mut files: Vec<_> = folders
            .map(|folder| format!("{}/README.md", folder.display()))
            .filter(|file| root().join(file).is_file())
            .collect();
        files.push("README.md".to_owned());
        files.sort_unstable();
        files
            .iter()
            .map(|file| Self::parse(file, &read(file)))
            .collect()
    }

    pub fn parse(file: &str, text: &str) -> Self {
        let mut readme = Self {
            file: file.to_owned(),
            blocks: Vec::new(),
            prose: Vec::new(),
        };
        let (mut section, mut before, mut follows) = (String::new(), "", false);
        let mut lines = (1..).zip(text.lines());
        while let Some((number, line)) = lines.next() {
            if let Some(language) = line.trim_start().strip_prefix("```") {
                // In a list, a block is indented as its fence is.
                let indent = &line[..line.len() - line.trim_start().len()];
                let inside = lines
                    .by_ref()
                    .map(|(_, line)| line.strip_prefix(indent).unwrap_or(line));
                let inside: Vec<_> = inside.take_while(|line| !line.starts_with("```")).collect();
                readme.blocks.push(Block {
                    line: number + 1,
                    section: section.clone(),
                    language: language.to_owned(),
                    text: inside.join("\n"),
                    before: before.trim().to_owned(),
                    follows,
                });
                (before, follows) = ("", true);
                continue;
            }
            if let Some(heading) = line.strip_prefix("## ") {
                heading.clone_into(&mut section);
            }
            follows &= line.trim().is_empty();
            before = line;
            readme.prose.push((number, line.to_owned()));
        }
        readme
    }

    /// A line of it, as problems begin: `README.md:12`.
    pub fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.file)
    }

    /// Where a link leads: GitHub resolves it from the folder of the file.
    pub fn resolve(&self, link: &str) -> PathBuf {
        if link.is_empty() {
            return root().join(&self.file);
        }
        let folder = Path::new(&self.file).parent().unwrap_or(Path::new(""));
        root().join(folder).join(link)
    }

    /// The spans in backticks in the prose, with their lines.
    pub fn spans(&self) -> impl Iterator<Item = (usize, &str)> {
        let spans = |line: &str| line.matches('`').count();
        self.prose.iter().flat_map(move |(number, line)| {
            assert!(
                spans(line) % 2 == 0,
                "{}: a backtick without its second",
                self.at(*number)
            );
            line.split('`')
                .skip(1)
                .step_by(2)
                .map(|span| (*number, span))
        })
    }
}
