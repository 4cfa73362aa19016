"""The console under /eg/: what administrators and users do in the browser (product section F).

routes.py     what a route is and who may come by it
console.py    one request: host, session, rights, CSRF token, answer
pages.py      templates, languages
one file a panel; each has a class whose `routes()` are put together in `emailgency.assembly.web`
"""
