// Browsers start no Worker from a file on disk. On such pages this class takes its place: it runs the script in a hidden frame.
if (location.protocol === "file:") {
    const load = (frame, url) => new Promise((done, failed) => {
        const script = frame.document.createElement("script");
        script.src = url;
        script.onload = done;
        script.onerror = failed;
        frame.document.body.appendChild(script);
    });
    window.IFrameWorker = window.Worker = class extends EventTarget {
        constructor(url) {
            super();
            this.element = document.createElement("iframe");
            this.element.hidden = true;
            document.body.appendChild(this.element);
            const frame = this.element.contentWindow;
            frame.document.open();
            frame.document.write("<!doctype html><html><body></body></html>");
            frame.document.close();
            frame.postMessage = data => this.dispatchEvent(new MessageEvent("message", { data }));
            frame.importScripts = (...urls) =>
                urls.reduce((before, each) => before.then(() => load(frame, each)), Promise.resolve());
            this.frame = frame;
            this.ready = load(frame, url);
        }
        postMessage(data) {
            this.ready.then(() => this.frame.dispatchEvent(new MessageEvent("message", { data })));
        }
        terminate() {
            this.element.remove();
        }
    };
}
