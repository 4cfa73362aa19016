"""Makes `twistd emailgency` known. twistd imports every plugin for its help, so nothing is loaded here."""

from twisted.application.service import ServiceMaker

emailgency = ServiceMaker(
    "Emailgency",
    "emailgency.tap",
    "The mail server that stands in when the customer's own server is down.",
    "emailgency",
)
