"""Which command is done by what, and in which state (RFC 3501 section 6)."""

from emailgency.codec.imap import annotations, commands, quotas
from emailgency.servers.imap import (
    append,
    authentication,
    fetch,
    idle,
    listing,
    metadata,
    notify,
    quota,
    search,
    selecting,
    sort,
    status,
    store_copy_move,
    tree_changes,
)
from emailgency.servers.imap.session import Rule, State

_ANY = frozenset({State.GUEST, State.MEMBER, State.SELECTED})
_GUEST = frozenset({State.GUEST})
_MEMBER = frozenset({State.MEMBER, State.SELECTED})
_SELECTED = frozenset({State.SELECTED})

TABLE: dict[type, Rule] = {
    commands.Capability: Rule(authentication.capability, _ANY),
    commands.Noop: Rule(authentication.noop, _ANY),
    commands.Logout: Rule(authentication.logout, _ANY),
    commands.Id: Rule(authentication.identify, _ANY),
    commands.Starttls: Rule(authentication.starttls, _GUEST),
    commands.Authenticate: Rule(authentication.authenticate, _GUEST),
    commands.Login: Rule(authentication.login, _GUEST),
    commands.Compress: Rule(authentication.compress, _MEMBER),
    commands.Enable: Rule(authentication.enable, _MEMBER),
    commands.Namespace: Rule(selecting.namespace, _MEMBER),
    commands.Select: Rule(selecting.select, _MEMBER),
    commands.Create: Rule(tree_changes.create, _MEMBER),
    commands.Delete: Rule(tree_changes.delete, _MEMBER),
    commands.Rename: Rule(tree_changes.rename, _MEMBER),
    commands.Subscribe: Rule(tree_changes.subscribe, _MEMBER),
    commands.Unsubscribe: Rule(tree_changes.unsubscribe, _MEMBER),
    commands.List: Rule(listing.list_folders, _MEMBER),
    commands.Lsub: Rule(listing.list_subscribed, _MEMBER),
    commands.Status: Rule(status.status, _MEMBER),
    annotations.GetMetadata: Rule(metadata.get_metadata, _MEMBER),
    annotations.SetMetadata: Rule(metadata.set_metadata, _MEMBER),
    quotas.GetQuota: Rule(quota.get_quota, _MEMBER),
    quotas.GetQuotaRoot: Rule(quota.get_quota_root, _MEMBER),
    quotas.SetQuota: Rule(quota.set_quota, _MEMBER),
    commands.Notify: Rule(notify.notify, _MEMBER),
    commands.Append: Rule(append.append, _MEMBER),
    commands.Replace: Rule(append.replace, _SELECTED),
    commands.Idle: Rule(idle.idle, _MEMBER),
    commands.Check: Rule(selecting.check, _SELECTED),
    commands.Close: Rule(selecting.close, _SELECTED),
    commands.Unselect: Rule(selecting.unselect, _SELECTED),
    commands.Expunge: Rule(store_copy_move.expunge, _SELECTED),
    commands.Copy: Rule(store_copy_move.copy, _SELECTED),
    commands.Move: Rule(store_copy_move.move, _SELECTED),
    commands.Store: Rule(store_copy_move.store, _SELECTED, expunges=False),
    commands.Fetch: Rule(fetch.fetch, _SELECTED, expunges=False),
    commands.Search: Rule(search.search, _SELECTED, expunges=False),
    commands.Sort: Rule(sort.sort, _SELECTED, expunges=False),
    commands.Thread: Rule(sort.thread, _SELECTED, expunges=False),
}
