"""What users may import, and the options they may give."""

from __future__ import annotations

import inspect

from twisted.trial.unittest import SynchronousTestCase

import naap_twisted
from naap_twisted import RateLimit, create_external_proxy, create_plugin_server
from naap_twisted.model import CircuitBreaker

NAMES = [
    "ConfigError",
    "ExposeHeader",
    "ExternalProxy",
    "NaapError",
    "PluginServer",
    "ProxyError",
    "RateLimit",
    "Secret",
    "SignableRequest",
    "User",
    "__version__",
    "create_external_proxy",
    "create_plugin_server",
]
REQUIRED = inspect.Parameter.empty
SERVER = {
    "name": REQUIRED,
    "port": 4000,
    "host": "127.0.0.1",
    "listen": (),
    "base_path": "/api/v1",
    "cors_origins": "*",
    "cors_headers": (),
    "require_auth": True,
    "authenticator": None,
    "public_routes": ("/healthz",),
    "token_headers": (),
    "guest": None,
    "page_tokens": None,
    "jwt_secret": None,
    "compression": True,
    "security_headers": True,
    "https_redirect": False,
    "hsts": None,
    "rate_limit": RateLimit(requests=200, window=900.0),
    "user_rate_limit": None,
    "budget": (),
    "trusted_proxies": (),
    "server_names": (),
    "allow_networks": (),
    "dns_servers": (),
    "ca_file": None,
    "client_cert": None,
    "client_key": None,
    "lame_duck": None,
    "drain_timeout": 30.0,
    "admin_listen": "",
    "admin_remote": False,
    "state_dir": None,
    "database_url": None,
    "alert_url": None,
    "alert_secret": None,
    "master_key": None,
    "keys": None,
    "prices": {},
    "redis_url": None,
    "on_redis_loss": "local",
    "limits": None,
    "capacity": None,
    "max_in_flight": 20_000,
    "max_connections": None,
    "connections_per_address": 1_000,
    "max_in_flight_per_user": 1_000,
    "reactor": None,
}
PROXY = {
    "allowed_hosts": (),
    "target": None,
    "target_url_header": "X-Target-URL",
    "provider": None,
    "key": None,
    "content_type": "application/json",
    "body_limit": "1mb",
    "body_required": False,
    "circuit_breaker": CircuitBreaker(),
    "timeout": 30.0,
    "connect_timeout": 10.0,
    "idle_timeout": 300.0,
    "total_timeout": None,
    "forward_headers": None,
    "forward_query": None,
    "hosts": None,
    "oauth2": None,
    "sign": None,
    "client_cert": None,
    "client_key": None,
    "expose_headers": (),
    "response_headers": (),
    "retries": 0,
    "pass_headers": None,
    "authorize": None,
    "methods": ("POST",),
    "endpoints": (),
    "query": None,
    "encoded_slashes": False,
    "models": (),
    "max_output_tokens": None,
    "max_response": None,
    "body": None,
    "judge": None,
    "allowed_schemes": ("https",),
    "allowed_ports": None,
    "errors": None,
    "redact_bodies": False,
    "max_in_flight": None,
    "rate_limit": None,
    "count_tokens": False,
    "budget": (),
    "replay": None,
    "location_ttl": 604800.0,
    "session": None,
    "follow_redirects": False,
    "resource_policy": "same-origin",
    "require_origin": False,
    "observe": False,
    "allow_networks": (),
    "logger": None,
    "upstream": None,
}


def options(function):
    return {name: p.default for name, p in inspect.signature(function).parameters.items()}


class PublicNames(SynchronousTestCase):
    maxDiff = None

    def test_names(self):
        """The documented list, sorted, and each of them is there."""
        self.assertEqual(naap_twisted.__all__, NAMES)
        for name in NAMES:
            self.assertTrue(hasattr(naap_twisted, name), name)

    def test_docstrings(self):
        """Each says what it is; so does each public method of the classes."""
        for name in NAMES:
            thing = getattr(naap_twisted, name)
            if isinstance(thing, str):
                continue
            self.assertTrue((thing.__doc__ or "").strip(), name)
            for method, function in vars(thing).items() if inspect.isclass(thing) else ():
                if inspect.isfunction(function) and not method.startswith("_"):
                    self.assertTrue(inspect.getdoc(function), f"{name}.{method}")

    def test_server_options(self):
        """Names and defaults are a promise."""
        self.assertEqual(options(create_plugin_server), SERVER)

    def test_proxy_options(self):
        """Names and defaults are a promise; all by name."""
        self.assertEqual(options(create_external_proxy), PROXY)
        kinds = {p.kind for p in inspect.signature(create_external_proxy).parameters.values()}
        self.assertEqual(kinds, {inspect.Parameter.KEYWORD_ONLY})

    def test_only_name_and_port_by_position(self):
        """``create_plugin_server("ai", 4020)``; the rest by name."""
        parameters = inspect.signature(create_plugin_server).parameters.items()
        by_name = {name for name, p in parameters if p.kind is p.KEYWORD_ONLY}
        self.assertEqual(set(SERVER) - by_name, {"name", "port"})
