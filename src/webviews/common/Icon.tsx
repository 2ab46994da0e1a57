// Codicons as inline SVG: only those used get into the bundle, and they take the text colour. The SVG text is ours at build time.

export const Icon = ({ svg }: { readonly svg: string }) => (
  <span class="icon" aria-hidden="true" dangerouslySetInnerHTML={{ __html: svg }} />
);
