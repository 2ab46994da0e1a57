// How the guest believes its memory is translated: the paging-related bits of its CR0 and CR4, its CR3 and its PDPTEs.
// Not the real control registers, which are the shadow's business (vcpu.ts). SDM vol. 3, 4.1.

/** One object a vCPU; the walker, the shadows and the CR handlers share it. */
export class PagingState {
  /** CR0.PG as the guest sees it. */
  paging = false;
  /** CR0.WP. */
  wp = false;
  pae = false;
  pse = false;
  pge = false;
  cr3 = 0;
  /** PDPTE0..3, low and high words: loaded by MOV CR3 and not before the next one (4.4.1). */
  readonly pdptes = new Uint32Array(8);
}
