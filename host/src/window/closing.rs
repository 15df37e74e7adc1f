use super::plan::Plan;
use crate::columns::Builder;
#[derive(Debug)]
pub struct Closing;
#[derive(Debug)]
pub struct Closed { pub windows: Vec<(i64, i64, u32)>, pub cells: Builder }
impl Closed { pub fn new(plan: &Plan) -> Self { Self { windows: Vec::new(), cells: Builder::new(plan.columns.as_slice().into()) } } }
impl Closing {
    pub fn new(_: &Plan) -> Self { Self }
    pub fn admit(&mut self, _: &Plan, _: usize, _: &[u64], _: i64, _: &mut Closed) {}
    pub fn due(&self, _: &Plan) -> Option<i64> { None }
    pub fn expiry(&self, _: &Plan) -> Option<i64> { None }
    pub fn close(&mut self, _: &Plan, _: i64, _: &mut Closed) {}
    pub fn forget(&mut self, _: &Plan, _: i64) {}
    pub fn is_empty(&self) -> bool { true }
    pub fn size(&self) -> usize { 0 }
    pub fn panes(&self) -> usize { 0 }
}
