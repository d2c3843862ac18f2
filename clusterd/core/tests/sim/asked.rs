//! Which operations Kubo works on.

use clusterd_core::input::OpId;
use common::ids::Cid;

use crate::kubo::Kubo;

impl Kubo {
    pub(crate) fn first_op(&self) -> Option<OpId> {
        self.asked.keys().next().copied()
    }

    pub(crate) fn op_of(&self, cid: &Cid) -> Option<OpId> {
        self.asked.iter().find(|(_, asked)| asked.cid() == *cid).map(|(op, _)| *op)
    }
}
