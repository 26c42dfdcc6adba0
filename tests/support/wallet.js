// A browser wallet for tests: announces itself as EIP-6963 asks; every question goes to the test's process.
(() => {
  const handlers = {};
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const failed = ({ code, message, data }) => Object.assign(new Error(message), { code, data });
  const provider = {
    async request({ method, params = [] }) {
      let answer = await window.__wallet(method, params);
      while (answer.held !== undefined) {
        await pause(100);
        answer = await window.__wallet("test_poll", [answer.held]);
      }
      if (answer.error) throw failed(answer.error);
      if (answer.emit) for (const [name, value] of answer.emit) for (const handler of handlers[name] ?? []) handler(value);
      return answer.result;
    },
    on(name, handler) {
      (handlers[name] ??= []).push(handler);
    },
  };
  const info = { uuid: "6a3a9a3c-0000-4000-8000-000000000001", name: "Test <b>wallet</b>", icon: "data:image/svg+xml,<svg/>", rdns: "org.test.wallet" };
  const announce = () => window.dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail: Object.freeze({ info, provider }) }));
  window.addEventListener("eip6963:requestProvider", announce);
  announce();
})();
