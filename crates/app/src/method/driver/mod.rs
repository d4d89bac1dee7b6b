//! Having a driver run a method elsewhere (`design/drivers.md`).

mod elsewhere;
mod host;
mod outputs;
mod secrets;

use mangrove_domain::{
    advice::{Advice, UserAction},
    driver::DriverChoice,
    problem::Code,
    run::{RunProblem, RunStatus},
    source::Kind,
    type_name::TypeName,
};

pub(super) use self::{elsewhere::execute, secrets::Witness};

use super::{
    Invocation, Services,
    callee::{Callee, blocked, ready_type},
    cancelled, problem,
};
use crate::types::ReadyType;

/// The driver of a call, ready to run.
pub(super) struct Driver {
    pub(super) choice: DriverChoice,
    pub(super) ready: ReadyType,
}

/// The driver that is to run a call; `None` if it runs here. How the call ends if the driver is not there.
pub(super) async fn find(
    services: &Services,
    call: &Invocation<'_>,
    callee: &Callee,
) -> Result<Option<Box<Driver>>, (RunStatus, RunProblem)> {
    let type_name = callee.description().type_name.as_str();
    let Some(choice) = services.drivers.load().choose(call.driver, type_name, callee.extension()) else {
        return Ok(None);
    };
    let Ok(name) = TypeName::strict(&choice.name) else {
        let message = format!(
            "`{type_name}` does not run here, and what `drivers:` of mangrove.yaml says of it cannot be understood"
        );
        let advice = Advice::new(UserAction::Scan).and(" says what is wrong with it");
        return Err((RunStatus::Failed, problem(Code::DRIVER_FAILED, message).advise_if(Some(advice))));
    };
    let kind = Kind::new("driver");
    let ready = tokio::select! {
        biased;
        () = call.cancellation.cancelled() => return Err((RunStatus::Cancelled, cancelled())),
        ready = ready_type(services.types.as_ref(), &kind, &name) => ready,
    };
    match ready {
        Ok(ready) => Ok(Some(Box::new(Driver { choice, ready }))),
        Err(not_ready) => Err((RunStatus::Blocked, blocked(&not_ready, services.clock.now()))),
    }
}
