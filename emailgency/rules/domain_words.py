"""What is said of records in the DNS, by a short name each."""

from emailgency.model.words import Words

WORDS = {
    "unknown": Words("The DNS does not answer just now. That says nothing about this record; we ask again."),
    # MX
    "no domain": Words("The DNS knows no domain %(domain)s."),
    "no mx": Words("%(domain)s has no MX records: other servers try the address of the domain itself, and never us."),
    "null mx": Words("The MX of %(domain)s says that the domain takes no mail at all (null MX)."),
    "we are not there": Words(
        "We are not among the MX records: when your server is down, nothing comes to us. Add %(host)s."
    ),
    "mx lost": Words("%(host)s has no address: remove it from the MX records, or give it one."),
    "mx hidden": Words("%(host)s leads to an address that the internet does not reach."),
    "others without server": Words(
        "Other servers stand beside us, but you have told us that you have none of your own."
    ),
    "only we": Words("We are your only MX, as it should be without a server of your own."),
    "not first": Words("Another server stands before or beside us: as primary we must get everything first."),
    "no transport": Words(
        "We are the first MX, but do not know where your own server is, so mail for it waits here (no MX is better "
        "than ours): set the SMTP transport."
    ),
    "first": Words("We get everything first and hand it over to your server."),
    "only we, but backup": Words(
        "We are your only MX. As a backup we stand behind your own server, which is missing here: mail for it waits "
        "(no MX is better than ours)."
    ),
    "before you": Words(
        "We stand before your own server: all mail comes to us first, which is not what a backup is for."
    ),
    "beside you": Words("We have the same preference as your own server: half of your mail comes to us first."),
    "behind you": Words("Your own server comes first, we are behind it."),
    # SPF
    "no spf": Words(
        "There is no SPF record. What your people send from here in an emergency is trusted with %(mechanism)s."
    ),
    "many spf": Words("There are %(count)s SPF records; with more than one, receivers ignore all of them."),
    "spf without us": Words(
        "SPF does not let us send for you: what your people write in an emergency lands in spam folders. Add "
        "%(mechanism)s."
    ),
    "spf deep": Words("The SPF record needs more than 10 questions to the DNS, so receivers take it for broken."),
    "spf garbled": Words("The SPF record cannot be read: receivers ignore all of it."),
    "spf good": Words("SPF lets us send for your people."),
    # MTA-STS
    "no sts": Words("You publish no MTA-STS policy: nothing to do."),
    "sts not read": Words(
        "You publish an MTA-STS policy. It must have the line “mx: %(host)s” before we stand in your MX "
        "records, else senders refuse to bring us your mail. See https://mta-sts.%(domain)s/.well-known/mta-"
        "sts.txt."
    ),
    "sts broken": Words(
        "There is an MTA-STS record, but no policy that can be read at https://mta-sts.%(domain)s/.well-"
        "known/mta-sts.txt."
    ),
    "sts refuses": Words(
        "Your MTA-STS policy forbids senders to bring us mail. Add to it: %(lines)s, then change the id in "
        "the TXT record _mta-sts.%(domain)s."
    ),
    "sts would refuse": Words(
        "Your MTA-STS policy is being tested and does not name us. Before you enforce it, add: %(lines)s, and"
        " change the id in the TXT record _mta-sts.%(domain)s."
    ),
    "sts good": Words("Your MTA-STS policy names us."),
    # names
    "alternate good": Words("The name by which mail, web and mail programs reach us leads to us."),
    "alternate elsewhere": Words("%(host)s does not lead to us. Its operator must look at this."),
    "alternate missing": Words("%(host)s has no address. Its operator must look at this."),
    "leads here": Words("Mail programs find their settings here by themselves."),
    "leads elsewhere": Words("Mail programs are led to another server. That is right as long as it answers them."),
    "no autoconfig": Words("Only if you want Thunderbird and others to find our settings by themselves."),
    "no autodiscover": Words(
        "Only if you want Outlook to find our settings by itself, and have no Exchange of your own."
    ),
    # DKIM
    "dkim good": Words("What your people send from here is signed with this key."),
    "dkim missing": Words("With this record, what your people send from here is signed."),
    "dkim different": Words("Another key stands at this name: nothing is signed."),
}
