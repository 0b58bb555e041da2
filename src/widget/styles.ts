/** The widget's own look. Colours can be set from outside by the properties that begin with `--parley-`. */
export const CSS = `
:host{display:block;max-inline-size:26rem;color-scheme:light dark;
--bg:var(--parley-background,#fff);--raised:#f4f5f8;--text:var(--parley-text,#171a21);--soft:#596273;--line:#e3e6ec;
--accent:var(--parley-accent,#3f51c7);--on-accent:var(--parley-on-accent,#fff);--voice:#0b7a6b;--rest:#b9bfcb;
--good:#0b7a6b;--bad:#b3261e;--warn:#8a4b00;--warn-bg:#fff4e0;--calm-bg:#eef1fb;--bad-bg:#fdecea;--good-bg:#e4f5f1;
--shadow:0 1px 2px #10182814,0 12px 32px -8px #1018282e;
font:400 1rem/1.5 var(--parley-font,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif)}
:host([theme=light]){color-scheme:light}
:host([hidden]){display:none}
@media (prefers-color-scheme:dark){:host(:not([theme=light])){${dark()}}}
:host([theme=dark]){color-scheme:dark;${dark()}}
*{box-sizing:border-box;margin:0}
[hidden]{display:none!important}
.card{display:flex;flex-direction:column;background:var(--bg);color:var(--text);border:1px solid var(--line);
border-radius:1.5rem;box-shadow:var(--shadow);overflow:hidden;text-align:start}
.head{display:flex;align-items:center;gap:.75rem;padding:1rem 1.25rem .75rem}
.titles{flex:1;min-inline-size:0}
.heading{font-weight:650;letter-spacing:-.01em;line-height:1.3}
.status{display:flex;align-items:center;gap:.5rem;color:var(--soft);font-size:.875rem;min-block-size:1.5em}
.dot{inline-size:.5rem;block-size:.5rem;border-radius:50%;background:var(--rest);flex:none;transition:background .3s}
.card[data-mood=listening] .dot,.card[data-mood=hearing] .dot{background:var(--accent)}
.card[data-mood=speaking] .dot,.card[data-mood=thinking] .dot{background:var(--voice)}
.card[data-mood=trouble] .dot{background:var(--warn)}
.card[data-mood=waiting] .dot,.card[data-mood=thinking] .dot,.card[data-mood=trouble] .dot{animation:breathe 1.4s ease-in-out infinite}
.facts{text-align:end;font-size:.8125rem;line-height:1.45;color:var(--soft);font-variant-numeric:tabular-nums;white-space:nowrap}
.facts .short{color:var(--warn);font-weight:600}
.stage{padding:0 1.25rem}
canvas{display:block;inline-size:100%;block-size:5.5rem}
.banner{margin:.25rem 1.25rem .5rem;padding:.5rem .875rem;border-radius:.75rem;font-size:.875rem;background:var(--calm-bg)}
.banner.urgent{background:var(--warn-bg);color:var(--warn);font-weight:600}
.lines{list-style:none;padding:.625rem 1.25rem .5rem;display:flex;flex-direction:column;gap:.5rem;overflow-y:auto;
max-block-size:var(--parley-transcript-height,17rem);overscroll-behavior:contain;scrollbar-width:thin;mask-image:linear-gradient(#0000,#000 .625rem)}
.line{max-inline-size:85%;align-self:flex-start;padding:.5rem .875rem;border-radius:1.125rem;border-end-start-radius:.375rem;
background:var(--raised);overflow-wrap:anywhere;font-size:.9375rem}
.line.user{align-self:flex-end;background:var(--accent);color:var(--on-accent);border-end-start-radius:1.125rem;border-end-end-radius:.375rem}
.line.quiet{font-style:italic}
.line small{display:block;font-size:.75rem;color:var(--soft)}
.line.pending:empty::after,.wait{display:inline-flex;gap:.25rem}
.wait i{inline-size:.375rem;block-size:.375rem;border-radius:50%;background:currentColor;opacity:.5;animation:breathe 1.2s ease-in-out infinite}
.wait i:nth-child(2){animation-delay:.2s}.wait i:nth-child(3){animation-delay:.4s}
.hero{display:flex;flex-direction:column;align-items:center;text-align:center;gap:.5rem;padding:1.5rem 1.75rem 1.75rem}
.badge{display:grid;place-items:center;inline-size:4rem;block-size:4rem;border-radius:50%;margin-block-end:.5rem;
color:var(--accent);background:var(--calm-bg)}
.badge svg{inline-size:1.75rem;block-size:1.75rem}
.badge.good{color:var(--good);background:var(--good-bg)}.badge.bad{color:var(--bad);background:var(--bad-bg)}
.title{font-size:1.1875rem;font-weight:650;letter-spacing:-.015em;line-height:1.3}
.text{color:var(--soft);font-size:.9375rem;max-inline-size:34ch;text-wrap:balance}
.summary{color:var(--soft);font-size:.8125rem;font-variant-numeric:tabular-nums}
.actions{display:flex;flex-direction:column;gap:.25rem;inline-size:100%;max-inline-size:18rem;margin-block-start:.75rem}
.fine{color:var(--soft);font-size:.8125rem;margin-block-start:.25rem}
button,input,select{font:inherit;color:inherit}
button{cursor:pointer;border:0;background:none;border-radius:999px;transition:background .15s,transform .1s}
button:active{transform:scale(.97)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.main{background:var(--accent);color:var(--on-accent);font-weight:600;padding:.75rem 1.25rem;min-block-size:3rem}
.main:hover{background:color-mix(in srgb,var(--accent) 88%,#000)}
.main[aria-disabled=true]{background:var(--raised);color:var(--soft);cursor:default}
.link{color:var(--accent);font-weight:600;padding:.625rem 1rem;min-block-size:2.75rem}
.link:hover{background:var(--calm-bg)}
.write{display:flex;gap:.5rem;padding:.5rem 1.25rem;align-items:center}
.write input{flex:1;min-inline-size:0;padding:.625rem 1rem;min-block-size:2.75rem;border:1px solid var(--edge,#868e9c);border-radius:999px;background:var(--bg)}
.write input::placeholder{color:var(--soft);opacity:1}
.write input:focus-visible{outline-offset:0}
.round{display:grid;place-items:center;inline-size:2.75rem;block-size:2.75rem;flex:none;background:var(--raised)}
.round:hover{background:var(--line)}
.round svg{inline-size:1.25rem;block-size:1.25rem}
.stop svg{fill:currentColor}
.send{background:var(--accent);color:var(--on-accent)}.send:hover{background:color-mix(in srgb,var(--accent) 88%,#000)}
.send:disabled{background:var(--raised);color:var(--soft);cursor:default}
:dir(rtl) .send svg{transform:scaleX(-1)}
.bar{display:flex;align-items:center;gap:.625rem;padding:.25rem 1.25rem 1.125rem}
.bar .round{inline-size:3.25rem;block-size:3.25rem}
.bar .round svg{inline-size:1.5rem;block-size:1.5rem}
.mute[aria-pressed=true]{background:var(--text);color:var(--bg)}
.end{margin-inline-start:auto;background:var(--bad-bg);color:var(--bad)}.end:hover{background:var(--bad);color:var(--bg)}
.device{flex:0 1 12rem;min-inline-size:0}
select{inline-size:100%;min-block-size:2.75rem;padding:.25rem .75rem;border:1px solid var(--line);border-radius:999px;background:var(--bg);font-size:.875rem;text-overflow:ellipsis}
svg{fill:none;stroke:currentColor;stroke-width:1.9;stroke-linecap:round;stroke-linejoin:round}
.vh{position:absolute;inline-size:1px;block-size:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
@keyframes breathe{50%{opacity:.25}}
@media (prefers-reduced-motion:reduce){*,::after{animation:none!important;transition:none!important}}
@media (forced-colors:active){.main,.send,.line,.round{border:1px solid}}
`

function dark(): string {
  return `--bg:var(--parley-background,#15181f);--raised:#22262f;--text:var(--parley-text,#eef0f4);--soft:#a3acbb;--line:#2c313c;
--accent:var(--parley-accent,#a5b4ff);--on-accent:var(--parley-on-accent,#12152b);--voice:#5fd4c0;--rest:#4a5160;--edge:#6d7686;
--good:#5fd4c0;--bad:#ff9a92;--warn:#ffc46b;--warn-bg:#38290f;--calm-bg:#232845;--bad-bg:#3d1f1f;--good-bg:#12332d;
--shadow:0 1px 2px #0006,0 12px 32px -8px #000a`
}
