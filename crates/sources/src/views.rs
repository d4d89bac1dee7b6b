//! Opens views of roots, each on what was looked at ahead of it.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use mangrove_domain::{
    failure::Fault,
    kind_layout::KindLayout,
    ports::ObserveError,
    problem::Code,
    source::{Origin, RootId},
};
use mangrove_fs::{
    faults::{Operation, io_fault},
    stamp::Seen,
};

use crate::{
    layout::Layout,
    looks::look_at,
    options::TreeOptions,
    root::Root,
    roots::{self, RootInputs, Roots},
    stat_cache::{Remembered, Stamp},
    view::{Memo, View},
};

/// Names the view of the whole file system: what lies outside and decides which roots there are.
pub(super) const SURROUNDINGS: &str = "surroundings";
/// Names the view of the repository if its own extensions lie elsewhere.
pub(super) const REPOSITORY: &str = "repository";

/// What one look ahead at a remembered root gave.
pub(super) struct LookedAhead {
    directory: PathBuf,
    memo: Arc<Memo>,
    pub(super) looked: Arc<HashMap<String, Seen>>,
    /// The paths of which the look proves nothing: they are not as they were, or may not be.
    pub(super) moved: Vec<String>,
}

/// The roots, and the views that were needed to find them.
pub(super) struct FoundRoots {
    pub(super) roots: Roots,
    pub(super) layout: Layout,
    /// Of the repository's own extensions.
    pub(super) local: View,
    /// Of places where no sources lie.
    pub(super) others: Vec<View>,
}

/// Opens views, each on what was looked at ahead of it.
pub(super) struct Views<'a> {
    pub(super) options: &'a TreeOptions,
    /// What was looked at already, by root; taken out by who opens the root.
    pub(super) ahead: HashMap<RootId, LookedAhead>,
    /// Read everything again.
    pub(super) rehash: bool,
}

impl<'a> Views<'a> {
    /// Views on nothing that was looked at before.
    pub(super) fn fresh(options: &'a TreeOptions) -> Self {
        Self { options, ahead: HashMap::new(), rehash: false }
    }

    /// A view of one root.
    ///
    /// # Errors
    /// [`ObserveError::Repository`] if the directory cannot be entered.
    pub(super) fn open(&mut self, id: RootId, origin: Origin, directory: &Path) -> Result<View, ObserveError> {
        let ahead = self.ahead.remove(&id).filter(|ahead| ahead.directory == directory);
        let root = Root::open(id, origin, directory.to_owned());
        let root = root.map(Arc::new).map_err(|error| unreachable_root(directory, &error))?;
        let (memo, looked) = ahead.map(|ahead| (ahead.memo, ahead.looked)).unwrap_or_default();
        let mut view = View::new(root, memo, self.options.writable_state(), self.rehash);
        view.looked_ahead = looked;
        Ok(view)
    }

    /// Finds the roots, as far as sources of these kinds are concerned.
    ///
    /// # Errors
    /// [`ObserveError::Repository`] if the repository cannot be entered, or its marker cannot be used.
    pub(super) fn find_roots(&mut self, kinds: &[KindLayout]) -> Result<FoundRoots, ObserveError> {
        let options = self.options;
        let fault = |fault| ObserveError::Repository { fault };
        let mut surroundings = self.open(RootId::new(SURROUNDINGS), Origin::Mounted, Path::new("/"))?;
        // Its paths lie on any device, so no clock that could be probed is theirs.
        surroundings.state_directory = None;
        let code_directory = options.extensions_directory.as_deref();
        let mut code = match code_directory {
            Some(directory) => Some(self.open(RootId::local(), Origin::Local, directory)?),
            None => None,
        };
        let base_id = if code.is_some() { RootId::new(REPOSITORY) } else { RootId::local() };
        let mut base = self.open(base_id, Origin::Local, &options.repository)?;
        let documents = options.documents.as_ref();
        let mut layout = match &mut code {
            Some(code) => Layout::read(code, documents, "").map_err(fault)?,
            None => Layout::default(),
        };
        if layout.marker.is_none() {
            layout = Layout::read(&mut base, documents, "").map_err(fault)?;
        }
        let roots = roots::find(RootInputs {
            base: &mut base,
            code: code.as_mut(),
            surroundings: &mut surroundings,
            layout: &layout,
            environment: &options.environment,
            kinds,
            documents: &options.documents,
            walk_bounds: options.walk_bounds,
        });
        let (local, others) = match code {
            Some(code) => (code, vec![base, surroundings]),
            None => (base, vec![surroundings]),
        };
        Ok(FoundRoots { roots, layout, local, others })
    }
}

/// The error of a root that cannot be entered.
pub(super) fn unreachable_root(directory: &Path, error: &io::Error) -> ObserveError {
    let fault = Fault { code: Code::ROOT_UNREACHABLE, ..io_fault(Operation::List, directory, error) };
    ObserveError::Repository { fault }
}

/// Looks at everything that is remembered of every root, on two threads. The flag is true if the remembered outcome
/// is `usable` and all of it is as it was.
pub(super) fn look_ahead(earlier: Option<&Remembered>, usable: bool) -> (HashMap<RootId, LookedAhead>, bool) {
    let mut is_unchanged = usable && earlier.is_some();
    let mut opened = Vec::new();
    for remembered in earlier.into_iter().flat_map(|earlier| &earlier.roots) {
        // What the origin of a root is makes no difference to looking at it.
        match Root::open(remembered.id.clone(), Origin::Local, remembered.directory.clone()) {
            Ok(root) => opened.push((remembered, root)),
            Err(_) => is_unchanged = false,
        }
    }
    let looks: Vec<(&Root, &Stamp)> =
        opened.iter().flat_map(|(remembered, root)| remembered.stamps.iter().map(move |stamp| (root, stamp))).collect();
    let seen = look_at(&looks);
    is_unchanged &= looks.iter().zip(&seen).all(|((_, stamp), seen)| stamp.proves(seen));
    if is_unchanged {
        return (HashMap::new(), true);
    }
    let mut seen = seen.into_iter();
    let ahead = opened.iter().map(|(remembered, _)| {
        let of_root: Vec<(&Stamp, Seen)> = remembered.stamps.iter().zip(seen.by_ref()).collect();
        let moved = of_root.iter().filter(|(stamp, seen)| !stamp.proves(seen)).map(|(stamp, _)| stamp.path.clone());
        let ahead = LookedAhead {
            directory: remembered.directory.clone(),
            memo: earlier.map(|earlier| earlier.memo(&remembered.id)).unwrap_or_default(),
            moved: moved.collect(),
            looked: Arc::new(of_root.into_iter().map(|(stamp, seen)| (stamp.path.clone(), seen)).collect()),
        };
        (remembered.id.clone(), ahead)
    });
    (ahead.collect(), false)
}
