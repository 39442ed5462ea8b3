"""HTTP/1.1 for a load: one request at a time on a connection, encoded beforehand, and answers read as they come.

`request` is what is sent, `event` the same for CloudEvents (both pure), `connection` one connection without its socket,
`client` the sockets. May not live here: schedules, records. Messages are read by the scaffold's own parser
(`toolkit.sdk.http1.message`).
"""
