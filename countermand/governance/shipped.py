"""The tables that come with the product, and what is in force under a governance file (GOV-6, GOV-27).

Reads packaged files: call it where files may be read, and hand its values on to workflows.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from ruamel.yaml import YAML

from countermand.governance.directory import Governance
from countermand.governance.gates import GateTable
from countermand.governance.rights import Action, RightsTable


@cache
def shipped_rights() -> RightsTable:
    """The table of decision rights of `rights.yaml`."""
    return RightsTable.model_validate(_read("rights.yaml")).whole()


@cache
def shipped_gates() -> GateTable:
    """The gates of `gates.yaml`."""
    return GateTable.model_validate(_read("gates.yaml"))


def rights_in_force(governance: Governance) -> RightsTable:
    """The shipped table with the roles that `rights` names and the rows of `actions`; `actions` has the last word."""
    shipped = shipped_rights()
    actions = {action.value for action in Action}
    named = {Action(kind.value): roles for kind, roles in governance.rights.items() if kind.value in actions}
    renamed = [row.model_copy(update={"roles": named[row.action]}) for row in shipped.rows if row.action in named]
    return shipped.replaced(renamed).replaced(governance.actions)


def _read(name: str) -> object:
    return YAML(typ="safe", pure=True).load(files("countermand.governance").joinpath(name).read_text("utf-8"))
