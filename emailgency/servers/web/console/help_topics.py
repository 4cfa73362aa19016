"""What the help is about: its pages in their order, and which paragraph belongs to which page of the console.

A page is a template in `web/help/<language>/`; each of its paragraphs is a section with an id. A test sees to it that
every page of the console has its paragraph, in every language (row F6).
"""

from emailgency.model.words import Words

PAGES = {
    "start": Words("Getting started"),
    "outage": Words("When your server is down"),
    "addresses": Words("Addresses"),
    "mailbox": Words("A mailbox"),
    "programs": Words("Mail programs"),
    "domain": Words("Your domain"),
    "where": Words("Where is it?"),
    "security": Words("Passwords and security"),
    "operator": Words("Running the service"),
}

PARAGRAPHS = {
    "aliases.html": "addresses#alias",
    "app_passwords.html": "security#apps",
    "assistant_dns.html": "domain#dns",
    "assistant_mail.html": "programs#settings",
    "audit.html": "domain#audit",
    "banished.html": "addresses#banished",
    "by_hand.html": "security#invitation",
    "candidates.html": "addresses#candidate",
    "contact.html": "domain#notification",
    "contact_dead.html": "domain#notification",
    "contacts.html": "domain#notification",
    "dns.html": "domain#dns",
    "domain.html": "domain#relay",
    "domain_names.html": "domain#alias",
    "flush.html": "outage#flush",
    "forgotten.html": "security#forgotten",
    "link_dead.html": "security#forgotten",
    "lists.html": "addresses#list",
    "login.html": "security#login",
    "login_code.html": "security#second",
    "login_ended.html": "security#second",
    "mailbox.html": "mailbox#status",
    "mailboxes.html": "addresses#mailbox",
    "operator_customer.html": "operator#customer",
    "operator_customers.html": "operator#customers",
    "operator_plan.html": "operator#plans",
    "operator_plans.html": "operator#plans",
    "operator_queues.html": "operator#queues",
    "operator_server.html": "operator#server",
    "overview.html": "outage#overview",
    "passkeys.html": "security#passkeys",
    "password.html": "security#password",
    "password_set.html": "security#password",
    "pending.html": "outage#pending",
    "pending_message.html": "outage#message",
    "pending_sure.html": "outage#message",
    "received.html": "addresses#candidate",
    "recovery_codes.html": "security#recovery",
    "results.html": "addresses#many",
    "second_factor_sure.html": "security#second",
    "security.html": "security#second",
    "security_phone.html": "security#second",
    "story.html": "where#story",
    "sure.html": "addresses#sure",
    "tokens.html": "security#tokens",
    "trust.html": "domain#trust",
    "where.html": "where#search",
}


def paragraph(template: str) -> str:
    """Where the help tells of a page, as "addresses#alias"; "" is the table of contents."""
    return PARAGRAPHS.get(template, "")
