"""Environments as a worker has them, without its process."""

import tempfile

from symla.bridge.creation import Request
from symla.bridge.exchange import CallRecord
from symla.bridge.worker import Environments
from symla.lifetimes.resolve import make


def environments(what, copies=1, **settings):
    """Copies of what `symla.make` takes."""
    environment = make(what, **settings)
    source, name = environment.pickled(), environment.name
    with tempfile.TemporaryFile() as shared:
        shared.truncate(CallRecord.SIZE)
        made_of = source, environment.id, environment.module, environment.arguments
        return Environments(Request(name, *made_of, copies), CallRecord(shared.fileno()))
