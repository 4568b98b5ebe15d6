"""Resource wrappers: what needs no target and no user, done at the end of the request's headers.

Outermost first: RequestId, ServerNames, HttpsOnly, SecurityHeaders, Cors, RateLimited, Compression.
ServerNames stands before HttpsOnly so that no redirect names a host that is not ours.
"""
