// Boot Guest: offers the sample, the workspace's images and any file, then boots. Errors become one notification.
// Not the machine (guest.ts) and not the search (images.ts).

import * as vscode from 'vscode';
import { type BootConfig, type DomainConfig, UserError } from '../../workers/session.ts';
import { unpack } from '../../workers/unpack.ts';
import { BootFailure, type BootedImage, type Guest } from '../guest.ts';
import type { Host } from '../host/host.ts';
import { nameOf, uriOf } from '../paths.ts';
import type { Log } from '../log.ts';
import { defaultCommandLine } from './command-lines.ts';
import { readDomains } from './domains.ts';
import { findImages, type Image, imageAt } from './images.ts';
import { bootSettings, domainsSetting } from './settings.ts';

interface Choice extends vscode.QuickPickItem {
  /** Undefined: a separator, or browse. */
  readonly uri?: vscode.Uri;
  readonly browse?: boolean;
}

/** What a launch configuration says otherwise than the settings. */
export type BootChanges = Partial<Pick<BootConfig, 'cmdline' | 'memoryBytes' | 'cpu' | 'bare' | 'record'>> & {
  readonly symbols?: vscode.Uri;
  readonly moduleSymbols?: readonly vscode.Uri[];
  readonly initrd?: vscode.Uri;
  /** Further domains as the user wrote them; left out: the setting's. */
  readonly domains?: { readonly list: unknown; readonly where: string };
  /** Paths of domains are relative to it. */
  readonly folder?: vscode.WorkspaceFolder;
};

const LAST = 'kansoku.lastImage';

const FORMATS: Readonly<Record<Image['format'], () => string>> = {
  multiboot: () => 'Multiboot',
  multiboot2: () => 'Multiboot 2',
  bzimage: () => vscode.l10n.t('Linux kernel'),
};

export class BootGuest {
  private booting = false;

  constructor(
    private readonly host: Host,
    private readonly guest: Guest,
    private readonly context: vscode.ExtensionContext,
    private readonly log: Log,
    private readonly reveal: () => void,
  ) {}

  get sample(): vscode.Uri {
    return vscode.Uri.joinPath(this.context.extensionUri, 'media', 'guests', 'tsubame', 'tsubame.elf');
  }

  /** The image that this workspace booted last, if its file is still known. */
  get last(): BootedImage | undefined {
    const stored = this.context.workspaceState.get<string>(LAST);
    if (stored === undefined) return undefined;
    const uri = vscode.Uri.parse(stored);
    return { uri, name: nameOf(uri) };
  }

  /** The command. An image given by a caller (a link, a test, the explorer) is booted without asking. */
  async run(uri?: vscode.Uri): Promise<void> {
    const chosen = uri ?? (await this.choose());
    if (chosen !== undefined) await this.boot(chosen);
  }

  async again(): Promise<void> {
    const last = this.last;
    await (last === undefined ? this.run() : this.boot(last.uri));
  }

  async reset(): Promise<void> {
    await this.guarded(this.guest.image?.name ?? '', () => this.guest.reset());
  }

  /**
   * Boots for a debugger: the guest stands before its first instruction. False: the user rather keeps the guest that runs.
   * @throws UserError, BootFailure
   */
  async paused(uri: vscode.Uri, changes: BootChanges): Promise<boolean> {
    if (this.booting || !(await this.mayReplace(uri))) return false;
    this.booting = true;
    try {
      await this.start(uri, changes, true);
    } finally {
      this.booting = false;
    }
    return true;
  }

  /** The kernel to take where none was named: the only one of the workspace, else what the user chooses. */
  async find(token?: vscode.CancellationToken): Promise<vscode.Uri | undefined> {
    const images = await findImages(this.host, token ?? new vscode.CancellationTokenSource().token);
    return images.length === 1 ? images[0]!.uri : this.choose();
  }

  private async boot(uri: vscode.Uri): Promise<void> {
    if (this.booting || !(await this.mayReplace(uri))) return;
    await this.guarded(nameOf(uri), async () => {
      await this.start(uri);
      this.reveal();
    });
  }

  private async start(uri: vscode.Uri, changes: BootChanges = {}, paused = false): Promise<void> {
    const image: BootedImage = { uri, name: nameOf(uri) };
    const settings = bootSettings();
    const found = await imageAt(this.host, uri);
    if (found === undefined) throw new UserError(await this.refusal(uri, image.name));
    const bytes = unpack(uri.fsPath, await readFile(uri));
    const { symbols, moduleSymbols, initrd, cmdline, domains, folder, ...rest } = changes;
    const list = await this.domains(domains ?? domainsSetting(), folder ?? vscode.workspace.getWorkspaceFolder(uri));
    for (const place of moduleSymbols ?? []) await mustBeOnDisk(place);
    const config = {
      ...settings,
      ...rest,
      cmdline: cmdline ?? settings.cmdline ?? defaultCommandLine(found.format, bytes),
      image: { name: uri.fsPath, bytes },
      ...(symbols === undefined ? {} : { symbols: { name: symbols.fsPath, bytes: await readFile(symbols) } }),
      ...(moduleSymbols === undefined ? {} : { moduleSymbols: moduleSymbols.map(({ fsPath }) => fsPath) }),
      ...(initrd === undefined ? {} : { initrd: { name: initrd.fsPath, bytes: await readFile(initrd) } }),
      ...(list.length === 0 ? {} : { domains: list }),
    };
    await this.context.workspaceState.update(LAST, uri.toString());
    await this.guest.boot(image, config, { paused });
  }

  private domains(
    { list, where }: { readonly list: unknown; readonly where: string },
    folder = vscode.workspace.workspaceFolders?.[0],
  ): Promise<readonly DomainConfig[]> {
    return readDomains(list, {
      where,
      uriOf: (path) => uriOf(path, folder),
      read: readFile,
      commandLine: async (place, bytes) => {
        const found = await imageAt(this.host, place);
        if (found === undefined) throw new UserError(await this.refusal(place, nameOf(place)));
        return defaultCommandLine(found.format, unpack(place.fsPath, bytes));
      },
    });
  }

  private async refusal(uri: vscode.Uri, name: string): Promise<string> {
    try {
      await vscode.workspace.fs.stat(uri);
    } catch {
      return vscode.l10n.t('{0} does not exist.', uri.fsPath);
    }
    return vscode.l10n.t(
      '{0} cannot be booted: it is neither an ELF file with a Multiboot header nor a Linux bzImage (gzip is unpacked).',
      name,
    );
  }

  private async guarded(name: string, task: () => Promise<void>): Promise<void> {
    this.booting = true;
    try {
      await vscode.window.withProgress(
        { location: vscode.ProgressLocation.Window, title: vscode.l10n.t('Booting {0}', name) },
        task,
      );
    } catch (error) {
      if (error instanceof UserError || (error instanceof BootFailure && error.user)) this.log.userError(error.message);
      else {
        this.log.defect(
          vscode.l10n.t('{0} could not be booted because of a defect in Kansoku.', name),
          error instanceof BootFailure ? `${error.message}\n${error.detail}` : error,
        );
      }
    } finally {
      this.booting = false;
    }
  }

  private async mayReplace(uri: vscode.Uri): Promise<boolean> {
    const live = this.guest.live;
    if (live === undefined || live.status.state === 'stopped') return true;
    const replace = vscode.l10n.t('Stop and Boot');
    const answer = await vscode.window.showWarningMessage(
      vscode.l10n.t('{0} is still running. Stop it and boot {1}?', live.image, nameOf(uri)),
      { modal: true },
      replace,
    );
    return answer === replace;
  }

  private async choose(): Promise<vscode.Uri | undefined> {
    const pick = vscode.window.createQuickPick<Choice>();
    const search = new vscode.CancellationTokenSource();
    pick.title = vscode.l10n.t('Boot Guest');
    pick.placeholder = vscode.l10n.t('Choose a kernel image: Multiboot ELF or Linux bzImage, plain or gzipped');
    pick.matchOnDescription = true;
    pick.items = this.choices([]);
    pick.busy = true;
    pick.show();
    void findImages(this.host, search.token).then((images) => {
      pick.items = this.choices(images.filter((image) => image.uri.toString() !== this.sample.toString()));
      const first = pick.items.find((item) => item.kind !== vscode.QuickPickItemKind.Separator);
      if (first !== undefined) pick.activeItems = [first];
      pick.busy = false;
    });
    const choice = await new Promise<Choice | undefined>((settle) => {
      pick.onDidAccept(() => settle(pick.selectedItems[0] ?? pick.activeItems[0]));
      pick.onDidHide(() => settle(undefined));
    });
    search.cancel();
    search.dispose();
    pick.dispose();
    return choice?.browse === true ? this.browse() : choice?.uri;
  }

  /** With one image in the workspace it comes first; with several the sample does, because none of them is the obvious one. */
  private choices(images: readonly Image[]): Choice[] {
    const separator = (label: string): Choice => ({ label, kind: vscode.QuickPickItemKind.Separator });
    const sample: Choice[] = [
      separator(vscode.l10n.t('sample')),
      {
        label: '$(package) Tsubame',
        description: vscode.l10n.t('small Unix-like kernel with its C sources'),
        uri: this.sample,
      },
    ];
    const found: Choice[] = images.map((image) => ({
      label: `$(file-binary) ${nameOf(image.uri)}`,
      description: [FORMATS[image.format](), ...(image.packed ? ['gzip'] : []), folderOf(image.uri)]
        .filter((part) => part !== '')
        .join(' · '),
      uri: image.uri,
    }));
    const workspace = found.length === 0 ? [] : [separator(vscode.l10n.t('workspace')), ...found];
    return [
      ...(found.length === 1 ? [...workspace, ...sample] : [...sample, ...workspace]),
      separator(''),
      { label: `$(folder-opened) ${vscode.l10n.t('Browse…')}`, browse: true },
    ];
  }

  private async browse(): Promise<vscode.Uri | undefined> {
    const files = await vscode.window.showOpenDialog({
      title: vscode.l10n.t('Boot Guest'),
      openLabel: vscode.l10n.t('Boot'),
      canSelectMany: false,
    });
    return files?.[0];
  }
}

/** @throws UserError */
const readFile = async (uri: vscode.Uri): Promise<Uint8Array> => {
  try {
    return await vscode.workspace.fs.readFile(uri);
  } catch (error) {
    throw new UserError(
      vscode.l10n.t('{0} cannot be read: {1}', nameOf(uri), error instanceof Error ? error.message : String(error)),
    );
  }
};

/** The machine's thread reads it by itself. @throws UserError */
const mustBeOnDisk = async (uri: vscode.Uri): Promise<void> => {
  if (uri.scheme !== 'file')
    throw new UserError(
      vscode.l10n.t(
        '{0} is not on the disk of this machine: debug data of modules is read from there.',
        uri.toString(),
      ),
    );
  try {
    await vscode.workspace.fs.stat(uri);
  } catch {
    throw new UserError(vscode.l10n.t('{0} does not exist.', uri.fsPath));
  }
};

const folderOf = (uri: vscode.Uri): string => {
  const relative = vscode.workspace.asRelativePath(uri);
  const slash = relative.lastIndexOf('/');
  return slash < 0 ? '' : relative.slice(0, slash);
};
