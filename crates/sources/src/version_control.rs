//! The commit that a repository is at, as git keeps it: `.git` is a directory, or a file that names one.

use std::path::{Path, PathBuf};

use mangrove_fs::read::{self, FileKind, Within};

/// The commit in hexadecimal; `None` without git, before the first commit, or where its files cannot be read.
pub(crate) fn commit(repository: &Path) -> Option<String> {
    let top = repository.ancestors().find(|directory| directory.join(".git").exists())?;
    let git = directory(&top.join(".git"))?;
    let head = text(&git.join("HEAD"))?;
    let Some(name) = head.strip_prefix("ref: ") else { return commit_of(&head) };
    // Work trees of one repository share its branches.
    let common = text(&git.join("commondir")).map(|common| git.join(common));
    let places = [Some(git), common];
    places.into_iter().flatten().find_map(|place| branch(&place, name))
}

fn directory(git: &Path) -> Option<PathBuf> {
    if git.is_dir() {
        return Some(git.to_owned());
    }
    let named = text(git)?;
    Some(git.parent()?.join(named.strip_prefix("gitdir: ")?))
}

fn branch(git: &Path, name: &str) -> Option<String> {
    if name.split('/').any(|part| part == "..") {
        return None;
    }
    let loose = text(&git.join(name)).and_then(|text| commit_of(&text));
    loose.or_else(|| {
        let packed = text(&git.join("packed-refs"))?;
        packed.lines().find_map(|line| commit_of(line.strip_suffix(name)?))
    })
}

/// A digest of SHA-1 or SHA-256.
fn commit_of(text: &str) -> Option<String> {
    let text = text.trim();
    let is_commit = [40, 64].contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_commit.then(|| text.to_owned())
}

fn text(path: &Path) -> Option<String> {
    let text = read::text(path, Within::Anywhere, FileKind::Document).ok()?;
    Some(text.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn write(place: &TempDir, path: &str, text: &str) {
        let path = place.path().join(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, text).expect("written");
    }

    #[test]
    fn the_commit_of_a_branch_is_found_wherever_it_is_kept() {
        let place = TempDir::new().expect("a directory");
        let found = |below: &str| commit(&place.path().join(below));
        assert_eq!(found(""), None);
        write(&place, ".git/HEAD", "ref: refs/heads/main\n");
        assert_eq!(found(""), None, "before the first commit");
        write(
            &place,
            ".git/packed-refs",
            &format!("# pack-refs\n{} refs/heads/other\n{COMMIT} refs/heads/main\n", "9".repeat(40)),
        );
        assert_eq!(found("").as_deref(), Some(COMMIT));
        let newer = COMMIT.replace('0', "8");
        write(&place, ".git/refs/heads/main", &format!("{newer}\n"));
        write(&place, "below/mangrove.yaml", "");
        assert_eq!(found("below").as_deref(), Some(newer.as_str()), "a loose one is newer");
        write(&place, ".git/HEAD", &format!("{COMMIT}\n"));
        assert_eq!(found("").as_deref(), Some(COMMIT), "detached");
        write(&place, ".git/HEAD", "ref: ../../outside\n");
        write(&place, "outside", COMMIT);
        assert_eq!(found(""), None);
    }

    #[test]
    fn a_work_tree_has_a_head_of_its_own() {
        let place = TempDir::new().expect("a directory");
        write(&place, "main/.git/refs/heads/side", COMMIT);
        write(&place, "main/.git/worktrees/side/HEAD", "ref: refs/heads/side\n");
        write(&place, "main/.git/worktrees/side/commondir", "../..\n");
        write(&place, "side/.git", &format!("gitdir: {}\n", place.path().join("main/.git/worktrees/side").display()));
        assert_eq!(commit(&place.path().join("side")).as_deref(), Some(COMMIT));
    }
}
