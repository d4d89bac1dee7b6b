//! `+ - * / %`, where an int or uint beside a double counts as one, and `< <= > >=`.

use std::cmp::Ordering;

use cel::{
    ExecutionError,
    common::{
        types::{CelBool, CelDouble, CelInt, CelList, CelString, CelUInt},
        value::{CowVal, Val},
    },
};

use super::messages::kind;

/// The longest text, in bytes, and the longest list that `+` makes: a few operators could make them endless.
const LONGEST: usize = 16 * 1024 * 1024;

type Answer<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

/// Both as doubles, if one is a double and the other is another number.
fn mixed(left: &dyn Val, right: &dyn Val) -> Option<(f64, f64)> {
    match (left.downcast_ref::<CelDouble>(), right.downcast_ref::<CelDouble>()) {
        (Some(left), None) => Some((*left.inner(), whole(right)?)),
        (None, Some(right)) => Some((whole(left)?, *right.inner())),
        _ => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "beside a double it counts as one")]
fn whole(value: &dyn Val) -> Option<f64> {
    let int = value.downcast_ref::<CelInt>().map(|value| *value.inner() as f64);
    int.or_else(|| value.downcast_ref::<CelUInt>().map(|value| *value.inner() as f64))
}

fn unknown(operator: &str, left: &dyn Val, right: &dyn Val) -> ExecutionError {
    let (left, right) = (kind(left.get_type().name()), kind(right.get_type().name()));
    ExecutionError::function_error(operator, format!("not between {left} and {right}"))
}

fn too_long(operator: &str) -> ExecutionError {
    ExecutionError::function_error(operator, format!("the result is longer than {LONGEST}"))
}

macro_rules! operator {
    ($(#[$documentation:meta])* $name:ident, $symbol:literal, $trait:ident, $method:ident, $doubles:expr, $allowed:expr) => {
        $(#[$documentation])*
        pub(super) fn $name<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
            let [left, right] = arguments.as_slice() else {
                return Err(ExecutionError::invalid_argument_count(2, arguments.len()));
            };
            let (left, right) = (left.as_ref(), right.as_ref());
            if let Some((left, right)) = mixed(left, right) {
                let doubles: fn(f64, f64) -> f64 = $doubles;
                return Ok(CowVal::owned(CelDouble::from(doubles(left, right))));
            }
            let allowed: fn(&dyn Val, &dyn Val) -> Result<(), ExecutionError> = $allowed;
            allowed(left, right)?;
            let operand = left.$trait().ok_or_else(|| unknown($symbol, left, right))?;
            match operand.$method(right) {
                Ok(value) => Ok(CowVal::Owned(value.into_owned())),
                Err(ExecutionError::UnsupportedBinaryOperator(..)) => Err(unknown($symbol, left, right)),
                Err(error) => Err(error),
            }
        }
    };
}

operator!(
    /// `left + right`.
    add, "+", as_adder, add, |left, right| left + right, addable
);
operator!(
    /// `left - right`.
    subtract, "-", as_subtractor, sub, |left, right| left - right, |_, _| Ok(())
);
operator!(
    /// `left * right`.
    multiply, "*", as_multiplier, mul, |left, right| left * right, |_, _| Ok(())
);
operator!(
    /// `left / right`.
    divide, "/", as_divider, div, |left, right| left / right, |_, _| Ok(())
);
operator!(
    /// `left % right`; not between two doubles.
    remainder, "%", as_modder, modulo, |left, right| left % right, |_, _| Ok(())
);

macro_rules! comparison {
    ($(#[$documentation:meta])* $name:ident, $symbol:literal, $holds:expr) => {
        $(#[$documentation])*
        pub(super) fn $name<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
            let [left, right] = arguments.as_slice() else {
                return Err(ExecutionError::invalid_argument_count(2, arguments.len()));
            };
            let (left, right) = (left.as_ref(), right.as_ref());
            // The interpreter makes its error before it compares, which takes longer than comparing.
            let ordering = left.as_comparer().and_then(|comparer| comparer.compare(right).ok());
            let holds: fn(Ordering) -> bool = $holds;
            let held = ordering.map(holds).ok_or_else(|| unknown($symbol, left, right))?;
            Ok(CowVal::owned(CelBool::from(held)))
        }
    };
}

comparison!(
    /// `left < right`.
    less, "<", Ordering::is_lt
);
comparison!(
    /// `left <= right`.
    at_most, "<=", Ordering::is_le
);
comparison!(
    /// `left > right`.
    greater, ">", Ordering::is_gt
);
comparison!(
    /// `left >= right`.
    at_least, ">=", Ordering::is_ge
);

fn addable(left: &dyn Val, right: &dyn Val) -> Result<(), ExecutionError> {
    if let Some(left) = left.downcast_ref::<CelString>() {
        let right = right.downcast_ref::<CelString>().map_or(0, |right| right.inner().len());
        return if left.inner().len() + right > LONGEST { Err(too_long("+")) } else { Ok(()) };
    }
    if let Some(items) = left.downcast_ref::<CelList>() {
        let Some(further) = right.downcast_ref::<CelList>() else { return Err(unknown("+", left, right)) };
        return if items.inner().len() + further.inner().len() > LONGEST { Err(too_long("+")) } else { Ok(()) };
    }
    Ok(())
}
