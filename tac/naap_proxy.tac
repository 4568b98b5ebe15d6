"""``NAAP_PROXY_CONFIG=naap-proxy.toml twistd -ny tac/naap_proxy.tac``"""

from twisted.application.service import Application

from naap_twisted.start.twistd import service_from_environment

application = Application("naap-proxy")
service_from_environment().setServiceParent(application)
