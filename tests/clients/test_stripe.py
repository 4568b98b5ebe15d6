"""Stripe's clients: a charge that is tried again is made once, for its Idempotency-Key goes up."""

from __future__ import annotations

import asyncio
import io
from urllib.parse import parse_qsl

try:
    import stripe
except ImportError:
    stripe = None

from ..browser.support import until
from .support import TOKEN, Call, Client, PageClientTestCase, PythonClientTestCase, Reply

CUSTOMERS = [f"cus_{number}" for number in range(5)]
PAYMENT = {"amount": 500, "currency": "eur", "confirm": True}


def said(status: int, kind: str, message: str, code: str | None = None, **headers: str) -> Reply:
    error = {"type": kind, "message": message, "code": code}
    return Reply(status, {"error": error}, {"Request-Id": "req_1", **headers})


class _Stripe:
    """A payment is known by its Idempotency-Key.

    :ivar payments: those that were made, by key.
    :ivar faults: what goes wrong before or after the next payments; each once.
    """

    provider = "stripe"
    others = {"/files": {"base_path": "/files-host"}}

    def begin(self, **route):
        self.payments, self.faults = {}, []
        super().begin(**route)

    def answer(self, call: Call) -> Reply:
        if not self.key_came(call, "authorization"):
            return said(401, "invalid_request_error", "Invalid API Key provided")
        if call.method == "POST" and not call.headers.get("idempotency-key"):
            return said(400, "invalid_request_error", "This POST may be made twice")
        if "stripe-version" not in call.headers:
            return said(400, "invalid_request_error", "No version")
        match call.method, call.path:
            case "POST", "/v1/payment_intents":
                return self.payment(call)
            case "GET", "/v1/customers":
                return self.customers(dict(parse_qsl(call.query)))
            case "GET", "/v1/customers/search":
                return self.found(dict(parse_qsl(call.query)))
            case "POST", "/files-host/v1/files":
                return self.file(call)
        return said(404, "invalid_request_error", "Unrecognized request URL")

    def payment(self, call: Call) -> Reply:
        if call.headers["content-type"] != "application/x-www-form-urlencoded":
            return said(400, "invalid_request_error", "Invalid request")
        form = dict(parse_qsl(call.body.decode()))
        if form.get("payment_method") == "pm_declined":
            return said(402, "card_error", "Your card was declined.", "card_declined")
        fault = self.faults.pop(0) if self.faults else None
        if fault == "slow":
            return Reply(delay=30.0)
        delay = 1.5 if fault == "late" else 0.0
        if fault == "cut":
            return Reply(cut=True)
        if fault == 409:
            return said(409, "idempotency_error", "In use", **{"stripe-should-retry": "true"})
        key = call.headers["idempotency-key"]
        replayed = {"Idempotent-Replayed": "true"} if key in self.payments else {}
        made = self.payments.setdefault(key, f"pi_{len(self.payments) + 1}")
        if fault == "cut when paid":
            return Reply(cut=True)
        if fault == 500:
            return said(500, "api_error", "Oops")
        document = {
            "id": made,
            "object": "payment_intent",
            "amount": int(form["amount"]),
            "currency": form["currency"],
            "status": "succeeded",
        }
        headers = {"Request-Id": "req_1", "Idempotency-Key": key, **replayed}
        return Reply(200, document, headers, delay=delay)

    def customers(self, query: dict[str, str]) -> Reply:
        start = CUSTOMERS.index(query["starting_after"]) + 1 if "starting_after" in query else 0
        found = CUSTOMERS[start : start + int(query.get("limit", 10))]
        data = [{"id": name, "object": "customer"} for name in found]
        more = start + len(found) < len(CUSTOMERS)
        return Reply(
            200, {"object": "list", "url": "/v1/customers", "has_more": more, "data": data}
        )

    def found(self, query: dict[str, str]) -> Reply:
        name = query["query"].removeprefix("name:'").removesuffix("'")
        data = [{"id": "cus_0", "object": "customer", "name": name}]
        return Reply(
            200,
            {
                "object": "search_result",
                "url": "/v1/customers/search",
                "has_more": False,
                "data": data,
            },
        )

    def file(self, call: Call) -> Reply:
        if b'filename="' not in call.body or b"hello" not in call.body:
            return said(400, "invalid_request_error", "No file")
        return Reply(200, {"id": "file_1", "object": "file", "size": 5})

    def made_once(self, tries: int = 2) -> None:
        """One payment was made, in *tries* requests that had the same Idempotency-Key."""
        keys = [call.headers["idempotency-key"] for call in self.vendor.calls]
        self.assertEqual((len(keys), len({*keys}), len(self.payments)), (tries, 1, 1))


FAULTS = ("cut", "cut when paid", 500, 409)


class PythonTests(_Stripe, PythonClientTestCase):
    client = Client("stripe")

    def made(self, **options):
        options.setdefault("max_network_retries", 0)
        bases = {"api": self.base, "files": self.base.removesuffix("/x") + "/files"}
        return stripe.StripeClient(TOKEN, base_addresses=bases, **options)

    def pay(self, **more):
        return self.made(**more).v1.payment_intents.create({**PAYMENT})

    async def test_charge(self):
        payment = await self.ask(self.pay)
        self.assertEqual((payment.id, payment.amount, payment.currency), ("pi_1", 500, "eur"))
        self.assertEqual(payment.last_response.request_id, "req_1")
        call = self.vendor.calls[0]
        self.assertEqual(call.headers["stripe-version"], stripe.api_version)
        self.assertIn("python", call.headers["x-stripe-client-user-agent"])

    async def test_list(self):
        """All pages of a list, each asked for by the client itself."""

        def use():
            pages = self.made().v1.customers.list({"limit": 2})
            return [customer.id for customer in pages.auto_paging_iter()]

        self.assertEqual(await self.ask(use), CUSTOMERS)
        self.assertEqual(len(self.vendor.calls), 3)

    async def test_search(self):
        query = {"query": "name:'Ada & Bo'"}
        found = await self.ask(lambda: self.made().v1.customers.search(query))
        self.assertEqual([customer.name for customer in found.data], ["Ada & Bo"])

    async def test_upload(self):
        """To the files' own host, which is a second route."""
        content = io.BytesIO(b"hello")
        content.name = "a.txt"
        file = {"purpose": "dispute_evidence", "file": content}
        self.assertEqual((await self.ask(lambda: self.made().v1.files.create(file))).id, "file_1")

    async def test_error(self):
        declined = {**PAYMENT, "payment_method": "pm_declined"}
        error = await self.fails(
            stripe.CardError, lambda: self.made().v1.payment_intents.create(declined)
        )
        self.assertEqual(
            (error.code, error.http_status, error.request_id), ("card_declined", 402, "req_1")
        )

    async def test_retry(self):
        """Whatever becomes of the first try, there is one charge."""
        for fault in FAULTS:
            self.payments.clear()
            self.vendor.calls.clear()
            self.faults = [fault]
            payment = await self.ask(lambda: self.pay(max_network_retries=2))
            self.assertEqual(payment.id, "pi_1", fault)
            self.made_once()

    async def test_retry_where_the_owner_names_headers(self):
        """``pass_headers`` adds: the key that makes a charge one goes up all the same."""
        self.begin(pass_headers=["Stripe-Version", "Stripe-Account"])
        self.faults = ["cut when paid"]
        await self.ask(lambda: self.pay(max_network_retries=2, stripe_account="acct_1"))
        self.made_once()
        accounts = {call.headers["stripe-account"] for call in self.vendor.calls}
        self.assertEqual(accounts, {"acct_1"})

    def again(self, key, **more):
        body, options = {**PAYMENT, **more}, {"idempotency_key": key}
        return self.made().v1.payment_intents.create(body, options)

    async def test_replay(self):
        """With ``replay`` the second call gets the first's answer, and another is refused."""
        self.begin(replay="10m")
        first = await self.ask(lambda: self.again("order-1"))
        second = await self.ask(lambda: self.again("order-1"))
        self.made_once(tries=1)
        self.assertEqual((first.id, second.id), ("pi_1", "pi_1"))
        headers = [each.last_response.headers for each in (first, second)]
        self.assertEqual([each.get("Idempotent-Replayed") for each in headers], [None, "true"])
        error = await self.fails(stripe.StripeError, lambda: self.again("order-1", amount=9))
        self.assertEqual(error.http_status, 409)
        self.assertEqual((await self.ask(lambda: self.again("order-2"))).id, "pi_2")

    async def test_replay_after_our_504(self):
        """The client's own retries get the late answer; the vendor is asked once."""
        self.begin(replay="10m", timeout=0.5)
        self.faults = ["late"]
        payment = await self.ask(lambda: self.pay(max_network_retries=5))
        self.assertEqual(payment.id, "pi_1")
        self.assertEqual(payment.last_response.headers["Idempotent-Replayed"], "true")
        self.made_once(tries=1)
        self.assertEqual(self.vendor.aborts, 0)

    async def test_account(self):
        """The call would act in another account without its header, so it is refused."""
        error = await self.fails(
            stripe.InvalidRequestError, lambda: self.pay(stripe_account="acct_1")
        )
        self.assertEqual((error.http_status, error.code), (400, "HEADER_NOT_ALLOWED"))
        self.assertIn('pass_headers = ["Stripe-Account"]', str(error))
        self.assertEqual(self.vendor.calls, [])

    async def test_token(self):
        other = stripe.StripeClient("other", base_addresses={"api": self.base})
        await self.fails(stripe.AuthenticationError, lambda: other.v1.customers.list())
        self.assertEqual(self.vendor.calls, [])


class AsyncTests(_Stripe, PythonClientTestCase):
    """The same package over httpx."""

    client = Client("stripe", variant="async, httpx")

    def run_with(self, use):
        async def work():
            http = stripe.HTTPXClient()
            made = stripe.StripeClient(
                TOKEN,
                base_addresses={"api": self.base},
                http_client=http,
                max_network_retries=2,
            )
            try:
                return await use(made)
            finally:
                await http.close_async()

        return self.ask(lambda: asyncio.run(asyncio.wait_for(work(), 20)))

    async def test_charge(self):
        payment = await self.run_with(lambda made: made.v1.payment_intents.create_async(PAYMENT))
        self.assertEqual(payment.id, "pi_1")

    async def test_list(self):
        async def use(made):
            pages = await made.v1.customers.list_async({"limit": 3})
            return [customer.id async for customer in pages.auto_paging_iter()]

        self.assertEqual(await self.run_with(use), CUSTOMERS)

    async def test_retry(self):
        self.faults = ["cut when paid", 500]
        await self.run_with(lambda made: made.v1.payment_intents.create_async(PAYMENT))
        self.made_once(tries=3)

    async def test_cancel(self):
        self.faults = ["slow"]

        async def use(made):
            task = asyncio.ensure_future(made.v1.payment_intents.create_async(PAYMENT))
            while not self.vendor.calls:
                await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        await self.run_with(use)
        await until(lambda: self.vendor.aborts == 1)


class PageTests(_Stripe, PageClientTestCase):
    client = Client("stripe", "npm", in_page=True)
    # The client takes a host and no base URL; what follows the host's name becomes the path's
    # beginning.
    module = """
import Stripe from "stripe";
window.Stripe = Stripe;
window.made = (base, token, more) => {
  const { protocol, hostname, port, pathname } = new URL(base);
  return new Stripe(token, {
    protocol: protocol.slice(0, -1), host: hostname + pathname, port, maxNetworkRetries: 0, ...more,
  });
};
window.payment = { amount: 500, currency: "eur", confirm: true };
"""

    async def test_charge(self):
        await self.start()
        made = await self.script(
            """const made_ = await made(base, token).paymentIntents.create(payment);
               return [made_.id, made_.lastResponse.requestId];"""
        )
        self.assertEqual(made, ["pi_1", "req_1"])

    async def test_list(self):
        await self.start()
        names = await self.script(
            """const names = [];
               for await (const one of made(base, token).customers.list({ limit: 2 }))
                 names.push(one.id);
               return names;"""
        )
        self.assertEqual(names, CUSTOMERS)

    async def test_search(self):
        await self.start()
        found = await self.script(
            """const query = "name:'Ada & Bo'";
               return (await made(base, token).customers.search({ query })).data[0].name"""
        )
        self.assertEqual(found, "Ada & Bo")

    async def test_upload(self):
        await self.start()
        name = await self.script(
            """const data = new TextEncoder().encode("hello");
               const file = { data, name: "a.txt", type: "text/plain" };
               const files = made(base.replace(/x$/, "files"), token);
               return (await files.files.create({ purpose: "dispute_evidence", file })).id"""
        )
        self.assertEqual(name, "file_1")

    async def test_error(self):
        await self.start()
        self.expect_console("status of 402")
        error = await self.script(
            """try {
                 const declined = { ...payment, payment_method: "pm_declined" };
                 await made(base, token).paymentIntents.create(declined);
               } catch (error) {
                 const typed = error instanceof Stripe.errors.StripeCardError;
                 return [typed, error.code, error.requestId];
               }"""
        )
        self.assertEqual(error, [True, "card_declined", "req_1"])

    async def test_retry(self):
        await self.start()
        self.expect_console("status of")
        for fault in FAULTS:
            self.payments.clear()
            self.vendor.calls.clear()
            self.faults = [fault]
            made = await self.script(
                """const client = made(base, token, { maxNetworkRetries: 2 });
                   return (await client.paymentIntents.create(payment)).id"""
            )
            self.assertEqual(made, "pi_1", fault)
            self.made_once()

    async def test_replay(self):
        """A page of another origin reads that its second call was not made."""
        await self.start(replay="10m")
        replayed = await self.script(
            """const pay = () => made(base, token).paymentIntents.create(
                 payment, { idempotencyKey: "order-1" });
               const answers = [await pay(), await pay()];
               return answers.map((one) =>
                 [one.id, one.lastResponse.headers.get("Idempotent-Replayed")]);"""
        )
        self.assertEqual(replayed, [["pi_1", None], ["pi_1", "true"]])
        self.made_once(tries=1)

    async def test_account(self):
        """No preflight allows the header, so the call does not go out at all."""
        await self.start()
        self.refused = frozenset({"stripe-account"})
        self.expect_console("CORS", "ERR_FAILED")
        error = await self.script(
            """const options = { stripeAccount: "acct_1" };
               return made(base, token, options).customers.list().catch((error) => error.type)"""
        )
        self.assertEqual((error, self.vendor.calls), ("StripeConnectionError", []))
