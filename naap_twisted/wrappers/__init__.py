"""Resource wrappers: work at the end of a request's headers that needs no target and no user.

From the outermost: RequestId, ServerNames, HttpsOnly, SecurityHeaders, Cors, RateLimited,
Compression. ServerNames stands before HttpsOnly so that no redirect names a foreign host.
"""
