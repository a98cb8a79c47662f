"""The first governance, targets and data-sources files of a data directory, and readable passwords for its people."""

from __future__ import annotations

import secrets

#: Three people who can roll back together, one who registers releases, two who look after duties and holds, one who
#: looks into unfairness: four eyes need different people.
GOVERNANCE = """\
# Who holds which role, and which roles may do what. Read anew for every decision; keep it under review.
schema: countermand.governance/v1
people:
  - {subject: "local|maria", name: Maria Keller, roles: [safety_lead]}
  - {subject: "local|jonas", name: Jonas Weber, roles: [release_owner, product_owner, incident_commander, operator]}
  - {subject: "local|amira", name: Amira Haddad, roles: [executive, comms_lead]}
  - {subject: "local|lena", name: Lena Ortiz, roles: [playbook_maintainer]}
  - {subject: "local|priya", name: Priya Nair, roles: [compliance_officer, privacy_officer]}
  - {subject: "local|henrik", name: Henrik Lund, roles: [legal_counsel]}
  - {subject: "local|ruth", name: Ruth Adeyemi, roles: [fairness_reviewer]}
playbooks: {adoption: required} # two people sign every version before a release may name it
rights:
  withdraw: [incident_commander]
  hold: [incident_commander, operator, safety_lead]
  resume: [incident_commander]
  abort: [incident_commander, executive]
  reverse: [incident_commander]
  ask_again: [incident_commander, safety_lead]
  proceed_incomplete: [incident_commander]
"""

#: Subject and printed name of the accounts that are made.
PEOPLE = {
    "local|maria": "Maria Keller",
    "local|jonas": "Jonas Weber",
    "local|lena": "Lena Ortiz",
    "local|priya": "Priya Nair",
    "local|henrik": "Henrik Lund",
    "local|ruth": "Ruth Adeyemi",
}

TARGETS = """\
# Release-control systems by the name that playbooks use (`revert.target`). Tokens stand in files of their own.
# targets:
#   my-service:
#     kind: embedded
#     url: http://127.0.0.1:8890
#     read_token_file: /path/to/read.token
#     write_token_file: /path/to/write.token
#   my-registry:
#     kind: mlflow
#     url: http://127.0.0.1:5001
#     members: {model: {model: my-model, alias: live, serving: {url: http://127.0.0.1:8101/healthz, header: x-digest}}}
# More kinds: see docs/targets.md. `countermand doctor` says for each target whether it answers.
targets: {}
"""

DATA_SOURCES = """\
# Databases and services that data checks of playbooks may ask (`data_integrity.checks`), by name. Only reading.
# data_sources:
#   orders: {kind: sql, url_file: /path/to/orders.url}
#   search: {kind: http, url: "http://127.0.0.1:6333", token_file: /path/to/search.token}
data_sources: {}
"""

PROFILE = """\
# What this organisation declares about itself: it decides which reporting clocks can run. Not legal advice.
# `undeclared` is never no. Each answer carries who gave it, when, and the document it rests on:
#   controller: {value: true, by: Priya Nair, at: 2026-11-20, document: "privacy register, entry 4"}
# `countermand obligations profile` lists every answer. Holidays come only from you; without them times are early.
profile:
  eu_ai_act: {role: undeclared, gpai_systemic_risk: undeclared, cop_signatory: undeclared}
  gdpr: {controller: undeclared, processor: undeclared}
  uk_gdpr: {controller: undeclared}
  nis2: {entity: undeclared, member_states: []}
  dora: {financial_entity: undeclared, entity_type: undeclared, relief_withdrawn_by_authority: undeclared}
  cra: {manufacturer: undeclared}
  uk_fca: {in_scope: undeclared, reporter_class: undeclared, psp: undeclared}
  sec: {form_8k_filer: undeclared}
  hipaa: {covered_entity: undeclared, business_associate: undeclared}
  nydfs: {covered_entity: undeclared}
  ca_sb53: {frontier_developer: undeclared}
  ny_raise: {frontier_developer: undeclared}
  jurisdiction_tz: Europe/Paris
  calendars: {home: null, uk: null, us_federal: null}
"""

_WORDS = """
    amber anchor aspen badger barley beacon birch bramble candle canyon cedar cobalt copper coral cosmos cricket
    dahlia ember falcon fennel garnet glacier granite hazel heron indigo island ivory jasmine juniper kestrel lagoon
    lantern larch linden magnet maple marble meadow nutmeg ocean olive orchid otter pebble pepper pigeon plum quartz
    raven river saffron sparrow spruce summit thistle timber topaz tulip violet walnut willow winter
""".split()  # noqa: SIM905  # a list with one word per line would be a page


def password() -> str:
    """Four random words and a number, easy to type: about 37 bits."""
    words = [secrets.choice(_WORDS) for _ in range(4)]
    return "-".join([*words, str(secrets.randbelow(9_000) + 1_000)])
