//! What the interpreter asks of whoever evaluates: functions of the host, and how many rounds are left.
//!
//! Functions of the interpreter have no state. So a call becomes an index: `data.latest("m", "n")` is
//! `@functions[["data.latest", "m", "n"]]`, and the value of `@functions` answers it.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use cel::{
    ExecutionError,
    common::{
        traits::Indexer,
        types::{CelList, CelString, DYN_TYPE, Type},
        value::{CowVal, Val},
    },
};
use mangrove_domain::ports::{ExpressionFunctions, FunctionCall};

use super::{
    messages::kind,
    values::{self, Numbers},
};

/// What a call of the host becomes an index of.
pub(super) const FUNCTIONS: &str = "@functions";
/// What ranges of nested comprehensions become an index of.
pub(super) const ROUNDS: &str = "@rounds";
/// How many rounds all nested comprehensions of an expression may take together.
pub(super) const MAX_ROUNDS: usize = 1_000_000;

/// What one evaluation asks for.
pub(super) struct Asked<'a> {
    pub(super) functions: &'a dyn ExpressionFunctions,
    /// The first call that has no answer yet.
    pub(super) waiting: Mutex<Option<FunctionCall>>,
    rounds: Mutex<usize>,
}

impl<'a> Asked<'a> {
    pub(super) fn new(functions: &'a dyn ExpressionFunctions) -> Self {
        Self { functions, waiting: Mutex::default(), rounds: Mutex::default() }
    }

    /// The call that has no answer yet, if there was one.
    pub(super) fn waiting(&self) -> Option<FunctionCall> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn answer(&self, call: FunctionCall) -> Result<Box<dyn Val>, ExecutionError> {
        match self.functions.call(&call) {
            Some(Ok(value)) => Ok(values::from_json(&value, &[])),
            Some(Err(message)) => Err(ExecutionError::function_error(&call.name, message)),
            None => {
                let message = "is not known yet";
                let error = ExecutionError::function_error(&call.name, message);
                self.waiting.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(call);
                Err(error)
            }
        }
    }

    fn count(&self, rounds: usize) -> Result<(), ExecutionError> {
        let mut all = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
        *all = all.saturating_add(rounds);
        if *all <= MAX_ROUNDS {
            return Ok(());
        }
        let message = format!("more than {MAX_ROUNDS} rounds of nested comprehensions take too long");
        Err(ExecutionError::function_error("comprehension", message))
    }
}

/// The value of [`FUNCTIONS`].
#[derive(Clone, Copy)]
pub(super) struct Functions<'a>(pub(super) &'a Asked<'a>);

/// The value of [`ROUNDS`]: gives each range back, and counts it.
#[derive(Clone, Copy)]
pub(super) struct Rounds<'a>(pub(super) &'a Asked<'a>);

macro_rules! asked {
    ($name:ident) => {
        impl fmt::Debug for $name<'_> {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(stringify!($name))
            }
        }

        impl Val for $name<'_> {
            fn get_type(&self) -> &Type {
                &DYN_TYPE
            }

            fn cel_type() -> &'static Type {
                &DYN_TYPE
            }

            fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
            where
                Self: 'v,
            {
                Some(self)
            }

            fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
            where
                Self: 'v,
            {
                Box::new(*self)
            }
        }
    };
}

asked!(Functions);
asked!(Rounds);

impl Indexer for Functions<'_> {
    fn get<'b, 'v>(&'b self, index: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let failed = |message: String| ExecutionError::function_error("call", message);
        let mut parts = index.downcast_ref::<CelList>().map_or(&[][..], |list| list.inner()).iter();
        let name = parts.next().and_then(|name| name.downcast_ref::<CelString>()).map(|name| name.inner().to_owned());
        let name = name.ok_or_else(|| failed("expects a name".to_owned()))?;
        let arguments = parts.map(|part| values::to_json(part.as_ref(), Numbers::ByKind));
        let arguments = arguments.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        Ok(CowVal::Owned(self.0.answer(FunctionCall { name, arguments })?))
    }

    fn steal<'v>(self: Box<Self>, index: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(index).map(CowVal::into_owned)
    }
}

impl Indexer for Rounds<'_> {
    fn get<'b, 'v>(&'b self, range: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let size = range.as_sizer().map_or(0, |sizer| *sizer.size().inner());
        self.0.count(usize::try_from(size).unwrap_or(usize::MAX))?;
        let kept = values::keep(range);
        kept.map(|range| CowVal::Owned(range as Box<dyn Val + 'v>)).ok_or_else(|| {
            ExecutionError::function_error("comprehension", format!("not over a {}", kind(range.get_type().name())))
        })
    }

    fn steal<'v>(self: Box<Self>, range: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(range).map(CowVal::into_owned)
    }
}
