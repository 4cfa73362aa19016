"""The JSON API below /eg/api/v1: what the panels of the console can do, for programs.

operation.py   what an operation is: path, method, who may, shapes of request and answer, deed
api.py         one request: token, rights, rates, shapes, answer; failures as problem details (RFC 9457)
document.py    the OpenAPI 3.1 document, made from the operations
one file a subject; each has a class whose `operations()` are put together in `emailgency.assembly.api`
"""
