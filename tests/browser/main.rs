//! The dashboard in a real browser, over a real daemon: what a person does, with JavaScript and without it, and whether
//! anybody is kept out.

mod access;
mod barriers;
mod daemon;
mod healing;
mod programs;
mod running;
mod visitor;
